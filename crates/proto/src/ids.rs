//! Identifiers as checked types: text becomes one of these at the edge and travels inward as it.

use std::{fmt, str::FromStr, sync::Arc};

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The channel name is empty.
    // Fabric: ledger §7
    #[error("channel ID illegal, cannot be empty")]
    EmptyChannel,
    /// The channel name is longer than 249 characters.
    #[error("channel ID illegal, cannot be longer than {CHANNEL_ID_MAX}")]
    LongChannel,
    /// The channel name does not match `[a-z][a-z0-9.-]*`.
    #[error("'{0}' contains illegal characters")]
    ChannelCharacters(String),
    /// The label does not match `[[:alnum:]][[:alnum:]_.+-]*`.
    // Fabric: external-builders §1
    #[error(
        "invalid label '{0}'. Label must be non-empty, can only consist of alphanumerics, symbols from '.+-_', and can only begin with alphanumerics"
    )]
    Label(String),
    /// The text is not `<label>:<64 hex digits>`.
    #[error("invalid package ID '{0}': expected <label>:<hash>, the hash being 64 lower-case hex digits")]
    Package(String),
}

const CHANNEL_ID_MAX: usize = 249;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// A channel's name: `[a-z][a-z0-9.-]*`, at most 249 characters.
    ChannelId
);
text_id!(
    /// A package's label, chosen by who packaged it.
    Label
);
text_id!(
    /// A package's ID: `<label>:<SHA-256 of the whole package file>`.
    PackageId
);

impl FromStr for ChannelId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::EmptyChannel);
        }
        if text.len() > CHANNEL_ID_MAX {
            return Err(IdError::LongChannel);
        }
        let legal = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
        if !legal {
            return Err(IdError::ChannelCharacters(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for Label {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let legal = text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte));
        if !legal {
            return Err(IdError::Label(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for PackageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = || IdError::Package(text.to_owned());
        let (label, hash) = text.rsplit_once(':').ok_or_else(bad)?;
        label.parse::<Label>().map_err(|_| bad())?;
        let hex = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hex {
            return Err(bad());
        }
        Ok(Self(text.into()))
    }
}

impl PackageId {
    /// The ID of a package with this label whose file has this SHA-256.
    pub fn new(label: &Label, hash: &crate::hash::Digest) -> Self {
        Self(format!("{label}:{}", hex::encode(hash)).into())
    }

    /// The part before the hash.
    pub fn label(&self) -> &str {
        self.split().0
    }

    /// The SHA-256 of the package file, in hex.
    pub fn hash(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once(':').unwrap_or((&self.0, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_channel_names() {
        assert!("my.channel-1".parse::<ChannelId>().is_ok());
        for (text, error) in [
            ("", "channel ID illegal, cannot be empty"),
            ("My", "'My' contains illegal characters"),
            ("1a", "'1a' contains illegal characters"),
            ("a_b", "'a_b' contains illegal characters"),
        ] {
            assert_eq!(text.parse::<ChannelId>().expect_err(text).to_string(), error);
        }
        assert_eq!("a".repeat(250).parse::<ChannelId>(), Err(IdError::LongChannel));
    }

    #[test]
    fn takes_package_ids_apart() {
        let id = PackageId::new(&"basic_1.0".parse().expect("a label"), &[0xab; 32]);
        assert_eq!(id.label(), "basic_1.0");
        assert_eq!(id.hash(), "ab".repeat(32));
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert!("basic:ABCD".parse::<PackageId>().is_err());
    }

    #[test]
    fn refuses_labels_that_start_with_a_symbol() {
        assert!("-a".parse::<Label>().is_err());
        assert!("".parse::<Label>().is_err());
        assert!("é".parse::<Label>().is_err());
    }
}
