//! Events of a desk that speaks in its own way: a jq program turns whatever it emits into ours.
//!
//! The program gets the JSON that came in, and gives any number of CloudEvents: none for what is nobody's concern.

use std::{fmt, panic};

use jaq_core::{
    Compiler, Ctx, Vars, data,
    load::{Arena, File, Loader},
};
use jaq_json::{Val, read};

use super::Error;

/// How many events one input may become.
const MOST: usize = 1000;

/// How many bytes they may be together.
const BYTES: usize = 16 * 1024 * 1024;

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

    /// Runs it on what came in, for as long as that takes: a program may go on for ever.
    ///
    /// # Errors
    /// What came in is no JSON, or is nested more than 128 deep; or the program fails on it, with its own words, or ends by
    /// `halt`, or makes too much of it.
    pub fn run(&self, bytes: &[u8]) -> Result<Vec<String>, Error> {
        // As everywhere else it is read: not what jq's own reader takes beside JSON, and not nested for ever.
        serde_json::from_slice::<serde_json::Value>(bytes)
            .map_err(|error| Error::new(format!("not JSON: {error}")))?;
        let input = read::parse_single(bytes).map_err(|error| Error::new(format!("not JSON: {error}")))?;
        // Whatever the library cannot take is this input's failure alone.
        panic::catch_unwind(panic::AssertUnwindSafe(|| self.outputs(input)))
            .unwrap_or_else(|_| Err(Error::new("desk.event_filter fails: it cannot be run on this")))
    }

    fn outputs(&self, input: Val) -> Result<Vec<String>, Error> {
        let ctx = Ctx::<data::JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let (mut events, mut bytes) = (Vec::new(), 0);
        for output in self.0.id.run((ctx, input)) {
            let event = output.map_err(|ended| {
                let why = ended
                    .get_err()
                    .map_or_else(|_| "it ends by `halt`".to_owned(), |error| error.to_string());
                Error::new(format!("desk.event_filter fails: {why}"))
            })?;
            let event = event.to_string();
            bytes += event.len();
            if events.len() == MOST || bytes > BYTES {
                let most = BYTES / 1024 / 1024;
                let why =
                    format!("desk.event_filter makes more than {MOST} events, or {most} MiB, of one input");
                return Err(Error::new(why));
            }
            events.push(event);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_or_run_is_an_error_and_nothing_worse() {
        let run = |program: &str, input: &str| match Filter::new(program) {
            Ok(filter) => filter.run(input.as_bytes()).map_err(|error| error.reason),
            Err(error) => unreachable!("{program} is no program: {error}"),
        };
        let deep = "[".repeat(200_000);
        let commented = format!("#\"\n{deep}");
        for (program, input, says) in [
            (".", deep.as_str(), "not JSON"),
            (".", commented.as_str(), "not JSON"),
            (".", "{} {}", "not JSON"),
            ("halt", "{}", "`halt`"),
            ("halt_error", "{}", "`halt`"),
            ("error(\"no ticket\")", "{}", "no ticket"),
            ("range(2000)", "{}", "more than 1000"),
            ("[range(100000)] | (., ., ., ., ., ., ., ., ., .) | (., ., ., .)", "{}", "16 MiB"),
        ] {
            let said = run(program, input);
            assert!(said.as_ref().is_err_and(|why| why.contains(says)), "{program}: {said:?}");
        }
        let text = format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500));
        assert!(run(".", &text).is_ok());
    }
}
