//! Events of a desk that speaks in its own way: a jq program turns whatever it emits into ours.
//!
//! The program gets the JSON that came in, and gives any number of CloudEvents: none for what is nobody's concern.

use std::fmt;

use jaq_core::{
    Compiler, Ctx, Vars, data,
    load::{Arena, File, Loader},
    unwrap_valr,
};
use jaq_json::{Val, read};

use super::Error;

/// How many events one input may become.
const MOST: usize = 1000;

/// How deep the JSON may be: the program goes down into it, and must come up again.
const DEPTH: usize = 128;

type Compiled = jaq_core::compile::Filter<jaq_core::Native<data::JustLut<Val>>>;

/// A program that is ready to run.
pub struct Filter(Compiled);

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter(…)")
    }
}

impl Filter {
    /// Compiles a program.
    ///
    /// ```
    /// use crossdesk::wire::desk_filter::Filter;
    /// let filter = Filter::new(".issues[] | {id: .number}").unwrap();
    /// let events = filter.run(br#"{"issues": [{"number": 7}, {"number": 8}]}"#).unwrap();
    /// assert_eq!(events, [r#"{"id":7}"#, r#"{"id":8}"#]);
    /// assert!(Filter::new(".issues[").is_err());
    /// ```
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(code: &str) -> Result<Self, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let file = File { code, path: () };
        let modules = Loader::new(defs).load(&arena, file).map_err(|errors| {
            let found = errors.iter().map(|(_, error)| unreadable(code, error)).collect::<Vec<_>>();
            format!("not a jq program: {}", found.join("; "))
        })?;
        let compiled = Compiler::default().with_funs(funs).compile(modules).map_err(|errors| {
            let names = errors.iter().flat_map(|(_, errors)| errors);
            let names: Vec<String> =
                names.map(|(name, kind)| format!("{name} ({})", kind.as_str())).collect();
            format!("not a jq program: these are not known: {}", names.join(", "))
        })?;
        Ok(Self(compiled))
    }

    /// Runs it on what came in.
    ///
    /// # Errors
    /// What came in is no JSON, or the program fails on it: with its own words.
    pub fn run(&self, bytes: &[u8]) -> Result<Vec<String>, Error> {
        if depth(bytes) > DEPTH {
            return Err(Error::new(format!("JSON that is nested more than {DEPTH} deep is not read")));
        }
        let input = read::parse_single(bytes).map_err(|error| Error::new(format!("not JSON: {error}")))?;
        let ctx = Ctx::<data::JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let mut events = Vec::new();
        for output in self.0.id.run((ctx, input)).map(unwrap_valr) {
            let event = output.map_err(|error| Error::new(format!("desk.event_filter fails: {error}")))?;
            if events.len() == MOST {
                return Err(Error::new(format!(
                    "desk.event_filter makes more than {MOST} events of one input"
                )));
            }
            events.push(event.to_string());
        }
        Ok(events)
    }
}

/// How deep JSON is nested, at most.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'[' | b'{' if !text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Where a program cannot be read.
fn unreadable(code: &str, error: &jaq_core::load::Error<&str>) -> String {
    use jaq_core::load::Error::{Io, Lex, Parse};
    let line = |rest: &str| {
        let at = code.len().saturating_sub(rest.len());
        1 + code.bytes().take(at).filter(|byte| *byte == b'\n').count()
    };
    let wanted = |wanted: &str, rest: &str| format!("line {}: {wanted} is wanted", line(rest));
    let all: Vec<String> = match error {
        Io(files) => files.iter().map(|(path, why)| format!("{path}: {why}")).collect(),
        Lex(errors) => errors.iter().map(|(what, rest)| wanted(what.as_str(), rest)).collect(),
        Parse(errors) => errors.iter().map(|(what, rest)| wanted(what.as_str(), rest)).collect(),
    };
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_nested_for_ever_is_refused_and_brackets_in_texts_are_no_nesting() {
        let Ok(filter) = Filter::new(".") else { unreachable!("it is the shortest program") };
        let deep = "[".repeat(200_000);
        assert!(filter.run(deep.as_bytes()).is_err_and(|error| error.reason.contains("128")));
        let text = format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500));
        assert!(filter.run(text.as_bytes()).is_ok());
    }
}
