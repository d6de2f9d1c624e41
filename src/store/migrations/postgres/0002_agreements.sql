-- What this side settles alone and who did it last; a key on its way to the partner; keys encrypted at rest.
alter table agreement add column doc text not null default '{}';
alter table agreement add column next_key text not null default '';
alter table agreement add column sealed bigint not null default 0;
create index agreement_invites on agreement (created_at) where direction = 'inbound' and status = 'pending';
create index agreement_declined on agreement (updated_at) where direction = 'inbound' and status = 'declined';
-- What a partner has told of its custom fields.
create table partner_fields (
  agreement text primary key,
  fields text not null
);
