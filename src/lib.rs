//! x
pub mod broker;
pub mod clock;
pub mod domain;
pub mod engine;
pub mod partner;
pub mod ports;
pub mod retry;
pub mod store;
pub mod telemetry;
pub mod wire;
