//! One thing that goes wrong at one record of the journal.

/// What happens at one record of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// At which record that this world writes, from 0.
    pub record: usize,
    /// What.
    pub what: Blow,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The engine dies before the record is written.
    DeathBefore,
    /// The engine dies once it is written.
    DeathAfter,
    /// The record cannot be written.
    NoRoom,
    /// The platform does nothing of what it is asked for next, and says so.
    PlatformFails,
    /// It does the first half, and says that it failed.
    PlatformHalfFails,
    /// It does all of it, and says that it failed.
    PlatformRepeats,
    /// The next table is lost on its way.
    TableLost,
    /// The next table comes into force, and the answer is lost.
    AnswerLost,
    /// The data plane dies, and is back with the table in force.
    ProxyDeath,
    /// An instance that serves exits.
    Exit,
    /// A person aborts.
    Abort,
    /// A person scales up.
    ScaleUp,
    /// A person scales down.
    ScaleDown,
    /// A third version takes over.
    Supersede,
}

impl Blow {
    /// All of them.
    pub const ALL: [Blow; 14] = [
        Blow::DeathBefore,
        Blow::DeathAfter,
        Blow::NoRoom,
        Blow::PlatformFails,
        Blow::PlatformHalfFails,
        Blow::PlatformRepeats,
        Blow::TableLost,
        Blow::AnswerLost,
        Blow::ProxyDeath,
        Blow::Exit,
        Blow::Abort,
        Blow::ScaleUp,
        Blow::ScaleDown,
        Blow::Supersede,
    ];
}
