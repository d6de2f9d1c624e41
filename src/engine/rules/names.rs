//! The names in a condition: one that no event has makes it never hold, and nobody would see why.

use cel::{
    Context, ExecutionError, IdedExpr, Program,
    common::ast::{EntryExpr, Expr},
};

/// What conditions speak of, and the members of it.
const MEMBERS: [(&str, &[&str]); 6] = [
    (
        "ticket",
        &[
            "id",
            "revision",
            "subject",
            "status",
            "custom_status",
            "priority",
            "tags",
            "custom_fields",
            "via",
            "assignee",
            "ccs",
            "requester",
        ],
    ),
    ("comment", &["body", "public", "author"]),
    ("ticket.requester", &["id", "name", "email"]),
    ("comment.author", &["id", "name", "role"]),
    ("actor", &["id", "name", "role"]),
    ("via", &[]),
];

/// What is said of a name that nothing has.
pub(super) fn unknown(name: &str) -> String {
    format!("there is no \"{name}\": a condition may speak of ticket, comment, actor and via")
}

/// Finds the first name that nothing has.
pub(super) fn check(expression: &IdedExpr, context: &Context<'static, 'static>) -> Result<(), String> {
    Names { context, bound: Vec::new() }.check(expression)
}

struct Names<'a> {
    context: &'a Context<'static, 'static>,
    /// What `exists(tag, …)` and its like call what they go over.
    bound: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn check(&mut self, expression: &'a IdedExpr) -> Result<(), String> {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.is_known(name).then_some(()).ok_or_else(|| unknown(name)),
            Expr::Select(select) => {
                self.has_member(&select.operand.expr, &select.field)?;
                self.check(&select.operand)
            }
            Expr::Call(call) => {
                self.is_function(&call.func_name).then_some(()).ok_or_else(|| unknown(&call.func_name))?;
                call.target.as_deref().into_iter().chain(&call.args).try_for_each(|part| self.check(part))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|part| self.check(part)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(of) => of.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(over) => {
                self.check(&over.iter_range)?;
                self.check(&over.accu_init)?;
                let outside = self.bound.len();
                self.bound.extend([over.iter_var.as_str(), over.accu_var.as_str()]);
                self.bound.extend(over.iter_var2.as_deref());
                let inside = [&over.loop_cond, &over.loop_step, &over.result]
                    .into_iter()
                    .try_for_each(|part| self.check(part));
                self.bound.truncate(outside);
                inside
            }
        }
    }

    fn entry(&mut self, entry: &'a EntryExpr) -> Result<(), String> {
        match entry {
            EntryExpr::StructField(field) => self.check(&field.value),
            EntryExpr::MapEntry(entry) => self.check(&entry.key).and_then(|()| self.check(&entry.value)),
        }
    }

    /// Names of types are the language's own, which knows them itself.
    fn is_known(&self, name: &str) -> bool {
        let known = |program: Program| {
            !matches!(program.execute(self.context), Err(ExecutionError::UndeclaredReference(_)))
        };
        self.bound.contains(&name) || Program::compile(name).is_ok_and(known)
    }

    /// Whether there is a function, or a method, of that name; operators are called by signs.
    fn is_function(&self, name: &str) -> bool {
        let is_operator = !name.starts_with(char::is_alphabetic);
        let called = [format!("{name}()"), format!("''.{name}()")];
        let known = |text: &String| {
            let Ok(program) = Program::compile(text) else { return true };
            !matches!(program.execute(self.context), Err(ExecutionError::UndeclaredReference(_)))
        };
        is_operator || called.iter().any(known)
    }

    fn has_member(&self, of: &Expr, field: &str) -> Result<(), String> {
        let name = match of {
            Expr::Ident(name) => name.clone(),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(whole) => format!("{whole}.{}", select.field),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let whole = name.split('.').next().unwrap_or_default();
        match MEMBERS.iter().find(|(of, _)| *of == name && !self.bound.contains(&whole)) {
            Some((_, members)) if !members.contains(&field) => {
                Err(format!("{name} has no \"{field}\": it has {}", members.join(", ")))
            }
            _ => Ok(()),
        }
    }
}
