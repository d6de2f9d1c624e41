-- Events of the desk as they came, each with what was known of its ticket then, for `crossdesk replay`; none are kept unless
-- store.record says so.
create table recorded (
  seq integer primary key autoincrement,
  at bigint not null,
  ticket text not null,
  -- What came, and which of the events that the desk's filter makes of it this one is.
  came text not null,
  part bigint not null,
  -- The ticket with its shares and comments before the event; null where it was not shared.
  before text,
  mapping text not null
);
create index recorded_at on recorded (at);
-- The mappings that were in force: the desk's filter, its fields and the rules.
create table mapping (
  digest text primary key,
  doc text not null
);
