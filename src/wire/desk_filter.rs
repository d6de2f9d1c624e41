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
