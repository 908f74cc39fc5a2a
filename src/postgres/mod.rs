//! Everything that talks to a PostgreSQL server: the only user of tokio-postgres and deadpool.
//!
//! Refuses to judge: it connects, guards, asks and hands back what the server said.
// This is an edge: it reads the environment, service, password and certificate files, and the clock.
#![allow(clippy::disallowed_methods)]

pub mod apply;
pub mod catalog;
mod compare;
mod connect;
pub mod conninfo;
mod diagnosis;
pub mod doctor;
pub mod explain;
mod interrupt;
pub mod leftovers;
pub mod missing;
pub mod pack;
pub mod plans;
mod pool;
pub mod pooler;
mod reader;
mod server;
mod server_error;
mod session;
pub mod snapshot;
mod templates;
mod tls;
pub mod trace;
pub mod trial;
pub mod twin;
mod verifier;
pub mod what_if;
pub mod workload;

pub use connect::Notice;
pub use conninfo::{Address, ConnectOptions, Environment, Flags, Host, Secret, TargetSession};
pub use interrupt::Interrupt;
pub use server::{Server, Version};
pub use server_error::server_error;
pub use session::{Session, TextParam};
pub use templates::{Explain, Guards};
