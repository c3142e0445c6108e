//! The scriptlets of a package as their author wrote them.

/// A scriptlet as the author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its text; it may be empty if the program is run without a script.
    pub body: String,
    /// Interpreter and arguments.
    pub program: Vec<String>,
    /// `RPMSCRIPT_FLAG_*`.
    pub flags: u32,
}

/// The scriptlets that rpm 4.11 knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts {
    /// `%pre`
    pub pre: Option<Script>,
    /// `%post`
    pub post: Option<Script>,
    /// `%preun`
    pub preun: Option<Script>,
    /// `%postun`
    pub postun: Option<Script>,
    /// `%pretrans`
    pub pretrans: Option<Script>,
    /// `%posttrans`
    pub posttrans: Option<Script>,
}

impl Scripts {
    /// The scriptlets that the package has, with their names in spec files.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Script)> {
        let all =
            [&self.pre, &self.post, &self.preun, &self.postun, &self.pretrans, &self.posttrans];
        Self::NAMES.into_iter().zip(all).filter_map(|(name, script)| Some((name, script.as_ref()?)))
    }

    /// All names.
    pub(super) const NAMES: [&'static str; 6] =
        ["%pre", "%post", "%preun", "%postun", "%pretrans", "%posttrans"];
}
