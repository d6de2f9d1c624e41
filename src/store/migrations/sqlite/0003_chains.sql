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
) without rowid;
insert into heard (ticket, mark) select distinct ticket, substr(uuid, 1, 20) from comment where origin is null;
drop index comment_uuid;
create unique index comment_foreign on comment (ticket, uuid) where origin is not null;
-- Letters to the dead-letter queue have a word of their own: somebody asks for them, as for nothing else that is handed over.
update message set state = 'dead' where state = 'handed' and kind in ('dead.event', 'dead.inbound');
drop index message_owner;
create unique index message_live on message (owner, n) where state in ('open', 'asked', 'dead', 'parked');
drop trigger message_pending;
create trigger message_pending after insert on message when new.state in ('open', 'asked', 'handed', 'dead')
begin
  insert into outbox (seq, daemon) values (new.seq, new.daemon);
end;
