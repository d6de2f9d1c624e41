create database acme;
create database lens;
