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
  -- The key in force and one on its way to the partner, encrypted where `sealed` says so.
  access_key text not null,
  next_key text not null default '',
  sealed bigint not null default 0,
  messages bigint not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  -- What this side settles alone, and who did what last.
  doc text not null default '{}'
);
create index agreement_name on agreement (name);
create index agreement_invites on agreement (created_at) where direction = 'inbound' and status = 'pending';
create index agreement_declined on agreement (updated_at) where direction = 'inbound' and status in ('declined', 'inactive');
-- What a partner has told of its custom fields.
create table partner_fields (
  agreement text primary key,
  fields text not null
) without rowid;
-- A ticket with its shares: read and written together with every event.
create table ticket (
  uuid text primary key,
  id text,
  version bigint not null,
  due_at bigint,
  updated_at bigint not null,
  doc text not null,
  shares text not null
);
create unique index ticket_id on ticket (id) where id is not null;
create index ticket_due on ticket (due_at) where due_at is not null;
-- Which tickets were ever shared under an agreement, for lists.
create table share (
  agreement text not null,
  ticket text not null,
  -- The partner's own number of it.
  number text,
  primary key (agreement, ticket)
) without rowid;
create index share_number on share (number) where number is not null;
-- What stands for a ticket at a partner that names it otherwise, so that what the partner says of it finds the ticket.
create table counterpart (
  agreement text not null,
  id text not null,
  ticket text not null,
  primary key (agreement, id)
);
-- Comments stand in the order in which they came, so that new ones share few pages; the index finds them.
create table comment (
  seq integer primary key,
  ticket text not null,
  uuid text not null,
  n bigint not null,
  id text,
  origin text,
  doc text not null
);
create unique index comment_uuid on comment (ticket, uuid);
create index comment_id on comment (ticket, id) where origin is not null and id is not null;
create table person (
  uuid text not null,
  agreement text not null,
  id text,
  name text not null,
  role text not null,
  primary key (uuid, agreement)
) without rowid;
create index person_id on person (id) where id is not null;
-- Outbox, history and dead letters in one. What is on its way is `open` to a partner whose answer is waited for, `asked` of the
-- desk, or `handed` to a queue of somebody else's; it ends as `delivered`, `parked` or `withdrawn`.
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
  updated_at bigint not null,
  -- What it came of, for the history of its ticket.
  cause text,
  -- The daemon that publishes it.
  daemon text not null
);
create unique index message_owner on message (owner, n);
create index message_open on message (agreement, owner, n) where state = 'open';
create index message_asked on message (seq) where state = 'asked';
create index message_parked on message (seq) where state = 'parked';
-- Messages that the broker has not taken yet. A row here comes and goes with every message, and leaves that of the message
-- alone.
create table outbox (
  seq integer primary key,
  daemon text not null
);
create trigger message_pending after insert on message when new.state in ('open', 'asked', 'handed')
begin
  insert into outbox (seq, daemon) values (new.seq, new.daemon);
end;
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
create index issue_unfit on issue (ticket)
  where resolved_at is null and reason in ('unknown_field', 'incompatible_type', 'unknown_option');
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
-- What happened to tickets without a message that could carry it; `n` is the ticket's last message then.
create table history (
  seq integer primary key autoincrement,
  ticket text not null,
  n bigint not null,
  at bigint not null,
  doc text not null
);
create index history_ticket on history (ticket, n);
-- The daemons that work on this database; one whose beat stands still is gone, and the others publish what it has left.
create table daemon (
  name text primary key,
  beat bigint not null,
  -- Partners that it still serves although they are another's by now.
  holding text not null
);
-- What each daemon did, minute by minute.
create table minute (
  at bigint not null,
  daemon text not null,
  events bigint not null,
  delivered bigint not null,
  failed bigint not null,
  lag bigint not null,
  lagged bigint not null,
  waiting bigint not null,
  primary key (at, daemon)
);
create index issue_open on issue (agreement, reason) where resolved_at is null;
