//! A simulated world that holds state and checks what Cutover promises.
//!
//! It drives the real engine with the real core: instances, data plane, journal, metrics, hooks and
//! clock are the ports of `cutover-engine`, served from one [`dice`] and in virtual time. A seed is
//! a world; the same seed is the same world everywhere.
//!
//! | module | holds |
//! |---|---|
//! | [`scenario`] | one world to try: spec, behaviours, faults, what people do |
//! | [`weather`], [`strike`] | what goes wrong, by chance or at one record of the journal |
//! | `world` | what there is, and what nature does with it |
//! | `ports` | what the engine may ask of it |
//! | `invariants` | what must hold, whatever happens |
//! | [`simulate`], [`suppose`] | what a plan would do if ... |
//! | [`exhaust`] | a small world for a model checker |
//! | [`points`] | each pattern, struck by each blow at each record |
//! | [`conduct`], [`many`] | running a world to its end, and many |

pub mod conduct;
pub mod dice;
pub mod exhaust;
mod invariants;
pub mod many;
pub mod points;
mod ports;
pub mod scenario;
pub mod simulate;
pub mod strike;
pub mod suppose;
pub mod weather;
mod world;
