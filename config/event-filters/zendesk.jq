# Zendesk's ticket webhooks (event subscriptions, "zen:event-type:ticket.…") as crossdesk's events.
#   [desk]
#   event_filter_file = "config/event-filters/zendesk.jq"
# What is an event of ours already, such as the answer to a command, goes through as it is.
# Custom fields come one by one, each when it changes; attachments come apart from their comment, and are not taken.

def word: if . == null then null else tostring | ascii_downcase end;

def ticket: {
  id: .id, subject, status: (.status | word), priority: (.priority | word), tags: (.tags // []),
  requester: {id: .requester_id},
  assignee: (if .assignee_id then {id: .assignee_id} else null end),
  via: .via.channel, created_at
} | with_entries(select(.value != null));

def field: (.custom_field // .field) as $field
  | [{title: ($field.raw_title // $field.title), value: .current}] | map(select(.title != null));

def comment: {
  id, body, public: (.is_public == true), html_body: .html_body,
  author: {id: .author.id, name: .author.name, role: (if .author.is_staff then "agent" else "end-user" end)}
} | with_entries(select(.value != null));

if has("specversion") then .
elif (.type // "") | startswith("zen:event-type:ticket.") | not then empty
else
  (.type | ltrimstr("zen:event-type:ticket.")) as $what
  | {specversion: "1.0", id, source: "zendesk/\(.account_id)", time} + (
      if $what == "merged" then
        {type: "helpdesk.ticket.merged",
         data: {ticket: {id: .detail.id}, into: {id: (.event.target_ticket_id // .event.target_ticket.id)}}}
      elif $what == "soft_deleted" or $what == "permanently_deleted" or $what == "marked_as_spam" then
        {type: "helpdesk.ticket.deleted", data: {ticket: {id: .detail.id}}}
      else
        {type: "helpdesk.ticket.changed", data: {
          ticket: ((.detail | ticket) + (if $what == "custom_field_changed" then {custom_fields: (.event | field)} else {} end)),
          comments: (if $what == "comment_added" then [.event.comment | comment] else [] end),
          actor: {id: .detail.actor_id, role: "agent"}
        }}
      end
    )
end
