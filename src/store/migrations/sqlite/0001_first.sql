-- Portable columns: ids and JSON as text, instants as milliseconds, flags as integers.
create table setting (
  key text primary key,
  value text not null
);
create table agreement (
  uuid text primary key,
  name text not null,
  direction text not null,
  kind text not null,
  url text,
  status text not null,
  deactivated_by text,
  reason text,
  terms text not null,
  profile text not null,
  accepting bigint not null,
  declared bigint not null,
  access_key text not null,
  messages bigint not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);
create index agreement_name on agreement (name);
create table ticket (
  uuid text primary key,
  id text,
  version bigint not null,
  due_at bigint,
  updated_at bigint not null,
  doc text not null
);
create unique index ticket_id on ticket (id) where id is not null;
create index ticket_due on ticket (due_at) where due_at is not null;
create table share (
  ticket text not null,
  agreement text not null,
  comments_sent bigint not null,
  doc text not null,
  primary key (ticket, agreement)
) without rowid;
create index share_agreement on share (agreement, ticket);
create table comment (
  ticket text not null,
  uuid text not null,
  n bigint not null,
  id text,
  origin text,
  doc text not null,
  primary key (ticket, uuid)
) without rowid;
create index comment_id on comment (ticket, id) where origin is not null and id is not null;
create table person (
  uuid text not null,
  agreement text not null,
  id text,
  name text not null,
  role text not null,
  primary key (uuid, agreement)
) without rowid;
create table message (
  seq integer primary key autoincrement,
  owner text not null,
  n bigint not null,
  agreement text,
  kind text not null,
  state text not null,
  body text not null,
  contents text not null,
  attempts bigint not null,
  due_at bigint,
  error text,
  event_at bigint,
  created_at bigint not null,
  updated_at bigint not null
);
create unique index message_owner on message (owner, n);
create index message_pending on message (seq) where state = 'pending';
create index message_parked on message (seq) where state = 'parked';
create index message_open on message (agreement, seq) where state in ('pending', 'published');
create index message_ended on message (updated_at) where state in ('published', 'delivered', 'withdrawn');
create table issue (
  ticket text not null,
  agreement text not null,
  subject text not null,
  reason text not null,
  detail text not null,
  opened_at bigint not null,
  resolved_at bigint,
  primary key (ticket, agreement, subject)
) without rowid;
create table seen (
  key text primary key,
  at bigint not null
) without rowid;
create index seen_at on seen (at);
create table waiting_event (
  seq integer primary key autoincrement,
  ticket text not null,
  body text not null,
  at bigint not null
);
create index waiting_event_ticket on waiting_event (ticket);
