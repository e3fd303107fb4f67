use std::fmt;
use std::str::FromStr;

/// What a key may be allowed to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `read:agents`
    ReadAgents,
    /// `read:metrics`
    ReadMetrics,
    /// `read:speedtests`
    ReadSpeedtests,
    /// `read:traceroutes`
    ReadTraceroutes,
}

/// The text names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a permission is one of read:agents, read:metrics, read:speedtests, read:traceroutes")]
pub struct UnknownPermission;

impl Permission {
    /// Every permission, in the contract's order.
    pub const ALL: [Self; 4] = [Self::ReadAgents, Self::ReadMetrics, Self::ReadSpeedtests, Self::ReadTraceroutes];

    /// The name used in storage, on the command line and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadAgents => "read:agents",
            Self::ReadMetrics => "read:metrics",
            Self::ReadSpeedtests => "read:speedtests",
            Self::ReadTraceroutes => "read:traceroutes",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;
    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text).ok_or(UnknownPermission)
    }
}

/// Some permissions. Empty allows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(u8);

impl PermissionSet {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// Every permission.
    pub const ALL: Self = Self(0b1111);

    /// Whether the permission is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// The permissions in the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |&permission| self.contains(permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

/// Names with a space between: how storage keeps a set.
impl fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, permission) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(permission.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for PermissionSet {
    type Err = UnknownPermission;
    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        text.split_ascii_whitespace().map(Permission::from_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_and_read_in_the_seeds_order() {
        let set: PermissionSet = "read:traceroutes read:agents".parse().expect("known");
        assert_eq!(set.to_string(), "read:agents read:traceroutes");
        assert!(set.contains(Permission::ReadAgents) && !set.contains(Permission::ReadMetrics));
        assert_eq!(PermissionSet::ALL, Permission::ALL.into_iter().collect());
        assert_eq!("".parse(), Ok(PermissionSet::NONE));
        assert_eq!("read:everything".parse::<PermissionSet>(), Err(UnknownPermission));
    }
}
