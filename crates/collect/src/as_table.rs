//! Which autonomous system an address belongs to, from a table on disk.

use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

/// Ranges of addresses with their autonomous systems, in memory.
#[derive(Clone, Debug, Default)]
pub struct AsTable {}

/// An autonomous system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutonomousSystem<'a> {
    /// Its number.
    pub number: u32,
    /// Its name; empty if the table has none.
    pub name: &'a str,
}

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AsTableError {
    /// The file could not be read or decompressed.
    #[error("The AS table could not be read: {0}.")]
    Unreadable(#[from] std::io::Error),
}

impl AsTable {
    /// Reads a table of iptoasn.com: lines of `range_start`, `range_end`, AS number, country and AS name, parted by
    /// tabs, of IPv4, IPv6 or both, compressed by gzip or not.
    ///
    /// # Errors
    /// [`AsTableError`]
    pub fn open(path: &Path) -> Result<Self, AsTableError> {
        Self::read(std::fs::File::open(path)?)
    }

    /// As [`AsTable::open`], from anything that can be read.
    ///
    /// # Errors
    /// [`AsTableError`]
    pub fn read(_source: impl Read) -> Result<Self, AsTableError> {
        Ok(Self::default())
    }

    /// The system that announces the address.
    #[must_use]
    pub fn find(&self, _address: IpAddr) -> Option<AutonomousSystem<'_>> {
        None
    }

    /// Memory that the table takes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        0
    }
}
