-- What happened to tickets, for people to read; dummy users by the id that the desk gave them; values that fitted no field.
create table history (
  seq bigint generated always as identity primary key,
  ticket text not null,
  at bigint not null,
  doc text not null
);
create index history_ticket on history (ticket, seq);
create index history_at on history (at);
create index person_id on person (id) where id is not null;
create index issue_unfit on issue (ticket)
  where resolved_at is null and reason in ('unknown_field', 'incompatible_type', 'unknown_option');
-- What is on its way, by ticket: the rows say the order, whatever order a queue has. Ended messages are found by age alone.
drop index message_open;
create index message_open on message (agreement, owner, n) where state in ('pending', 'published');
drop index message_ended;
