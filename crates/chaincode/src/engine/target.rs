//! The names by which chaincode calls chaincode.

/// `name`, `name:version`, `name/channel` or `name:version/channel`, taken apart. The version means nothing.
// Fabric: chaincode-protocol §12
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Empty: the caller's channel.
    pub(crate) channel: String,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Self {
        let (rest, channel) = text.split_once('/').unwrap_or((text, ""));
        let (name, version) = rest.split_once(':').unwrap_or((rest, ""));
        Self { name: name.to_owned(), version: version.to_owned(), channel: channel.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_slash_and_then_the_first_colon() {
        for (text, name, version, channel) in [
            ("cc", "cc", "", ""),
            ("cc:1.0", "cc", "1.0", ""),
            ("cc/ch", "cc", "", "ch"),
            ("cc:1.0/ch", "cc", "1.0", "ch"),
            ("cc:1:2/ch/x", "cc", "1:2", "ch/x"),
            ("cc/ch:1", "cc", "", "ch:1"),
            ("", "", "", ""),
        ] {
            let expected = Target { name: name.into(), version: version.into(), channel: channel.into() };
            assert_eq!(Target::parse(text), expected, "{text}");
        }
    }
}
