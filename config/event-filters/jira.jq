# Webhooks of a Jira that is the help desk itself, as crossdesk's events. (A Jira that tickets are shared with is an agreement of
# kind jira, and needs none of this.)
#   [desk]
#   event_filter_file = "config/event-filters/jira.jq"
# What is an event of ours already, such as the answer to a command, goes through as it is.
# A comment is public where Jira Service Management shows it to the customer, and private otherwise.

def person: if . == null then null else
  {id: (.accountId // .key // .name), name: .displayName, email: .emailAddress,
   role: (if .accountType == "customer" then "end-user" else "agent" end)}
  | with_entries(select(.value != null)) end;

# Rich text as its words.
def words: if type == "string" then . elif type == "object" then
  (if .type == "text" then .text // "" elif .type == "hardBreak" then "\n" else "" end)
  + ([.content[]? | words] | join("")) + (if .type == "paragraph" then "\n\n" else "" end)
  else "" end;

def status: .statusCategory.key as $category
  | if $category == "done" then "solved" elif $category == "new" then "new" else "open" end;

def priority: {"Lowest": "low", "Low": "low", "Medium": "normal", "High": "high", "Highest": "urgent"}[.name]
  // (.name | ascii_downcase);

def fields: [(.changelog.items // [])[] | select(.fieldtype == "custom") | {title: .field, value: .toString}];

def ticket: .issue as $issue | $issue.fields as $fields | ({
    id: $issue.key, subject: $fields.summary,
    status: (if $fields.status then $fields.status | status else null end),
    priority: (if $fields.priority then $fields.priority | priority else null end),
    tags: $fields.labels, requester: ($fields.reporter | person), assignee: ($fields.assignee | person),
    created_at: $fields.created, via: "jira"
  } | with_entries(select(.value != null))) + (fields as $custom | if $custom == [] then {} else {custom_fields: $custom} end);

def comment: {
  id, body: (.body | words | sub("\\s+$"; "")), author: (.author | person), created_at: .created,
  public: (.jsdPublic == true and .visibility == null)
} | with_entries(select(.value != null));

if has("specversion") then .
else
  (.webhookEvent // "") as $what
  | {specversion: "1.0", id: ([$what, .issue.id, .comment.id, .timestamp] | map(select(. != null) | tostring) | join("-")),
     source: "jira", time: (if .timestamp then .timestamp / 1000 | floor | todate else null end)} as $envelope
  | if $what == "jira:issue_deleted" then
      $envelope + {type: "helpdesk.ticket.deleted", data: {ticket: {id: .issue.key}}}
    elif $what == "jira:issue_created" or $what == "jira:issue_updated" or $what == "comment_created" then
      $envelope + {type: "helpdesk.ticket.changed", data: ({
        ticket: ticket, comments: [.comment | select(. != null) | comment], actor: ((.user // .comment.author) | person)
      } | with_entries(select(.value != null)))}
    else empty end
end
