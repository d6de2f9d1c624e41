-- What an event costs is the pages that it touches. A ticket is written with every event anyway, so it tells where its last message
-- and its last comment stand, and each of these tells where the one before it does: all of a ticket are found without an index over
-- all there are. Only what somebody may look for by its name is in one.
alter table ticket add column last_message bigint not null default 0;
alter table ticket add column last_comment bigint not null default 0;
alter table message add column before bigint;
alter table comment add column before bigint;
update message set before = (select x.seq from message x where x.owner = message.owner and x.n < message.n order by x.n desc limit 1);
update comment set before = (select x.seq from comment x where x.ticket = comment.ticket and x.n < comment.n order by x.n desc limit 1);
update ticket set
  last_message = coalesce((select m.seq from message m where m.owner = ticket.uuid order by m.n desc limit 1), 0),
  last_comment = coalesce((select c.seq from comment c where c.ticket = ticket.uuid order by c.n desc limit 1), 0);
-- A ticket remembers the marks of its own last comments; those of the earlier ones are here.
create table heard (
  ticket text not null,
  mark text not null,
  primary key (ticket, mark)
);
insert into heard (ticket, mark) select distinct ticket, substr(uuid, 1, 20) from comment where origin is null;
drop index comment_uuid;
create unique index comment_foreign on comment (ticket, uuid) where origin is not null;
-- Letters to the dead-letter queue have a word of their own: somebody asks for them, as for nothing else that is handed over.
update message set state = 'dead' where state = 'handed' and kind in ('dead.event', 'dead.inbound');
drop index message_owner;
create unique index message_live on message (owner, n) where state in ('open', 'asked', 'dead', 'parked');
create or replace function message_pending() returns trigger language plpgsql as $$
begin
  insert into outbox (seq, daemon) select seq, daemon from fresh where state in ('open', 'asked', 'handed', 'dead');
  return null;
end $$;
-- Messages and comments have their places from one row of numbers, given before they are written.
create sequence place;
select setval('place', greatest((select coalesce(max(seq), 1) from message), (select coalesce(max(seq), 1) from comment)));
-- Without one nothing is written: an older version, which gives none, cannot work here any more.
alter table message alter column seq drop identity;
alter table comment alter column seq drop identity;
-- Rows of a few kilobytes stay in one piece: to compress them costs more than their bytes do.
alter table ticket set (toast_tuple_target = 8160);
alter table message set (toast_tuple_target = 8160);
