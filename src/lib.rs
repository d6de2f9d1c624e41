//! x
pub mod app;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod flow;
pub mod http;
pub mod partner;
pub mod ports;
pub mod retry;
pub mod store;
pub mod telemetry;
pub mod wire;
