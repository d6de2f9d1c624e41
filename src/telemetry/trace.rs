//! Spans of a trace: what one step did, how long it took, and what it came of. Off until [`start_traces`] is called, and then
//! each span costs nothing.
//!
//! A trace follows a change from the desk's event (or the partner's request) through the message rows, the queue and each attempt
//! to deliver, across daemons and desks, by the `traceparent` of W3C Trace Context: in AMQP headers, in HTTP headers, and in the
//! row, so that it outlives a restart.

use std::sync::OnceLock;

use opentelemetry::{
    Context, KeyValue,
    global::{BoxedSpan, BoxedTracer},
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
        TraceState, Tracer as _,
    },
};

use crate::domain::Traceparent;

static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// From now on spans are recorded, by the provider that is set globally. Only the first call counts.
pub fn start_traces() {
    TRACER.get_or_init(|| opentelemetry::global::tracer("crossdesk"));
}

/// What a span stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something taken from a queue.
    Taken,
    /// A request answered.
    Answered,
    /// Something put into a queue.
    Published,
    /// A request made.
    Called,
}

impl Step {
    fn kind(self) -> SpanKind {
        match self {
            Self::Taken => SpanKind::Consumer,
            Self::Answered => SpanKind::Server,
            Self::Published => SpanKind::Producer,
            Self::Called => SpanKind::Client,
        }
    }
}

/// One step of a trace. It ends when it is dropped.
#[derive(Debug)]
pub struct Span(Option<BoxedSpan>);

impl Span {
    /// Begins with something that comes in: as part of the trace that it came with, or of a new one.
    pub fn begin(name: &'static str, step: Step, parent: Option<&Traceparent>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let parent = match parent.and_then(context) {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let builder = tracer.span_builder(name).with_kind(step.kind());
        Self(Some(tracer.build_with_context(builder, &parent)))
    }

    /// Goes on with what was begun before; what is not traced stays so.
    pub fn follow(name: &'static str, step: Step, parent: Option<&Traceparent>) -> Self {
        match parent {
            Some(_) => Self::begin(name, step, parent),
            None => Self(None),
        }
    }

    /// Says something about it: never what a ticket holds, and no key.
    pub fn set(&mut self, key: &'static str, value: impl ToString) {
        if let Some(span) = &mut self.0
            && span.is_recording()
        {
            span.set_attribute(KeyValue::new(key, value.to_string()));
        }
    }

    /// It failed, and why.
    pub fn fail(&mut self, why: impl ToString) {
        if let Some(span) = &mut self.0
            && span.is_recording()
        {
            span.set_status(Status::error(why.to_string()));
        }
    }

    /// Its place, for whatever comes of it; none where it is not recorded.
    pub fn place(&self) -> Option<Traceparent> {
        let context = self.0.as_ref()?.span_context();
        if !context.is_sampled() {
            return None;
        }
        Traceparent::parse(&format!("00-{}-{}-01", context.trace_id(), context.span_id()))
    }
}

fn context(place: &Traceparent) -> Option<SpanContext> {
    let (trace, span) = place.ids();
    let flags = if place.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
}
