//! What a function will miss in an archive that is accepted.

use super::{Contents, shown};
use crate::warning::{Warning, WarningCode};

impl Contents {
    /// What a function of this runtime and handler will miss in the archive, as far as that is sure.
    /// `at` points to the archive.
    pub fn warnings(&self, runtime: &str, handler: &str, at: &str) -> Vec<Warning> {
        let mut backslashes = self.files.iter().filter(|name| name.contains('\\'));
        let backslash = backslashes.next().map(|name| {
            let detail = format!(
                "`{}`{} has a backslash in its name, which separates no folders where Lambda unzips \
                 it; write names with `/`",
                shown(name),
                match backslashes.count() {
                    0 => String::new(),
                    others => format!(" (and {others} more)"),
                },
            );
            Warning::new(at, WarningCode::BackslashInName, detail)
        });
        let start = if runtime.starts_with("provided") {
            self.bootstrap_warning(at)
        } else {
            self.handler_warning(runtime, handler)
        };
        start.into_iter().chain(backslash).collect()
    }

    fn bootstrap_warning(&self, at: &str) -> Option<Warning> {
        let (code, detail) = if !self.files.contains("bootstrap") {
            let detail = "the runtime starts a file `bootstrap` at the top of the archive, and there \
                          is none";
            (WarningCode::BootstrapMissing, detail)
        } else if !self.bootstrap_is_executable {
            let detail = "`bootstrap` is not marked as executable, so Lambda may not be able to start \
                          it; give it mode 0755 before it is zipped";
            (WarningCode::BootstrapNotExecutable, detail)
        } else {
            return None;
        };
        Some(Warning::new(at, code, detail.to_owned()))
    }

    fn handler_warning(&self, runtime: &str, handler: &str) -> Option<Warning> {
        let wanted = self.missing_handler(runtime, handler)?;
        let detail = format!("the archive has no {wanted}, where {runtime} looks for this handler");
        Some(Warning::new("/handler", WarningCode::HandlerNotFound, detail))
    }

    /// The file of a handler that is sure to be missing.
    ///
    /// Source of the forms: <https://docs.aws.amazon.com/lambda/latest/dg/foundation-progmodel.html>
    /// and the pages on each language's handlers.
    fn missing_handler(&self, runtime: &str, handler: &str) -> Option<String> {
        // Where it lies is outside of the archive.
        if handler.starts_with('/') {
            return None;
        }
        let has = |name: String| self.files.contains(&name);
        let any = |prefix: &str, ends: &[&str]| {
            let behind = self.files.range(prefix.to_owned()..);
            let mut below = behind.take_while(|name| name.starts_with(prefix));
            below.any(|name| ends.iter().any(|end| name.ends_with(end)))
        };
        let (found, wanted) = if runtime.starts_with("nodejs") {
            // folder/file.export; what is exported may be nested.
            let (folder, name) = match handler.rsplit_once('/') {
                Some((folder, name)) => (format!("{folder}/"), name),
                None => (String::new(), handler),
            };
            let file = format!("{folder}{}", name.split('.').next().unwrap_or(name));
            let found = ["", ".js", ".mjs", ".cjs"].iter().any(|end| has(format!("{file}{end}")))
                || any(&format!("{file}/"), &[""])
                || any(&format!("node_modules/{file}/"), &[""]);
            (found, format!("{file}.mjs, {file}.js or {file}.cjs"))
        } else if runtime.starts_with("python") {
            // a.b.function or a/b.function; the module may be a package or compiled.
            let module = handler.rsplit_once('.').map_or(handler, |(module, _)| module);
            let file = module.replace('.', "/");
            let modules = [".py", ".pyc", ".so"];
            let found =
                any(&format!("{file}."), &modules) || any(&format!("{file}/__init__."), &modules);
            (found, format!("{file}.py"))
        } else if runtime.starts_with("ruby") {
            let file = handler.split('.').next().unwrap_or(handler);
            let found = [".rb", ".so"].iter().any(|end| has(format!("{file}{end}")));
            (found, format!("{file}.rb"))
        } else if runtime.starts_with("java") {
            let class = handler.split("::").next().unwrap_or(handler).replace('.', "/");
            let has_jar = self.files.iter().any(|name| name.ends_with(".jar"));
            (has_jar || has(format!("{class}.class")), format!("{class}.class and no .jar"))
        } else if runtime.starts_with("dotnet") {
            let assembly = handler.split("::").next().unwrap_or(handler);
            // Compiled ahead of time, it starts by itself.
            let found = has(format!("{assembly}.dll")) || self.files.contains("bootstrap");
            (found, format!("{assembly}.dll"))
        } else {
            return None;
        };
        (!found).then(|| shown(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Written, zip};
    use super::*;
    use crate::archive::judge;
    use crate::bundle;

    fn warnings(names: &[&str], runtime: &str, handler: &str) -> Vec<Warning> {
        let entries: Vec<_> = names.iter().map(|name| Written::stored(name, b"x")).collect();
        judge(&zip(&entries)).unwrap().warnings(runtime, handler, "/code/zipFile")
    }

    fn codes(warnings: &[Warning]) -> Vec<(&str, WarningCode)> {
        warnings.iter().map(|it| (it.pointer.as_str(), *it.code.known().unwrap())).collect()
    }

    #[test]
    fn a_handler_whose_file_is_in_the_archive_gives_no_warning() {
        for (runtime, handler, file) in [
            ("nodejs24.x", "index.handler", "index.mjs"),
            ("nodejs24.x", "index.handler", "./index.js"),
            ("nodejs24.x", "index.api.get", "index.cjs"),
            ("nodejs24.x", "src/app.main", "src/app.js"),
            ("nodejs24.x", "app.main", "app/index.js"),
            ("nodejs24.x", "app.main", "node_modules/app/package.json"),
            ("nodejs24.x", "/opt/nodejs/wrapper.handler", "other.js"),
            ("python3.14", "index.handler", "index.py"),
            ("python3.14", "pkg.mod.handler", "pkg/mod.py"),
            ("python3.14", "pkg/mod.handler", "pkg/mod.py"),
            ("python3.14", "pkg.handler", "pkg/__init__.py"),
            ("python3.14", "mod.handler", "mod.cpython-314-aarch64-linux-gnu.so"),
            ("ruby3.4", "app.handler", "app.rb"),
            ("ruby3.4", "app.Api::App.call", "app.rb"),
            ("java25", "com.acme.App::handle", "com/acme/App.class"),
            ("java25", "com.acme.App::handle", "lib/app.jar"),
            ("dotnet10", "App::Acme.Api::Get", "App.dll"),
            ("dotnet10", "App", "bootstrap"),
            ("a-new-language", "x", "y"),
        ] {
            let found = warnings(&[file], runtime, handler);
            assert_eq!(found, [], "{runtime} {handler} {file}");
        }
    }

    #[test]
    fn a_handler_without_a_file_is_warned_of() {
        for (runtime, handler, file, wanted) in [
            ("nodejs24.x", "index.handler", "src/index.mjs", "index.mjs"),
            ("nodejs24.x", "src/app.main", "app.js", "src/app.js"),
            ("nodejs24.x", "index.handler", "index.ts", "index.js"),
            ("python3.14", "index.handler", "index.mjs", "index.py"),
            ("python3.14", "pkg.mod.handler", "pkg.py", "pkg/mod.py"),
            ("ruby3.4", "app.handler", "App.rb", "app.rb"),
            ("java25", "com.acme.App::handle", "App.class", "com/acme/App.class"),
            ("dotnet10", "App::Acme.Api::Get", "Other.dll", "App.dll"),
        ] {
            let found = warnings(&[file], runtime, handler);
            let expected = [("/handler", WarningCode::HandlerNotFound)];
            assert_eq!(codes(&found), expected, "{runtime} {handler} {file}");
            assert!(found[0].detail.contains(wanted), "{}", found[0].detail);
        }
    }

    #[test]
    fn a_bootstrap_must_be_there_and_be_executable() {
        let found = |entry| {
            let contents = judge(&zip(&[entry])).unwrap();
            let found = contents.warnings("provided.al2023", "index.handler", "/code/s3Key");
            found.into_iter().map(|it| (it.pointer, *it.code.known().unwrap())).collect::<Vec<_>>()
        };
        let at = |code| [("/code/s3Key".to_owned(), code)];
        let bootstrap = Written::stored("bootstrap", b"x");
        assert_eq!(found(bootstrap.clone().with_mode(0o755)), []);
        // As Windows writes it.
        for mode in [0o644, 0] {
            let bootstrap = bootstrap.clone().with_mode(mode);
            assert_eq!(found(bootstrap), at(WarningCode::BootstrapNotExecutable));
        }
        let elsewhere = Written::stored("target/bootstrap", b"x").with_mode(0o755);
        assert_eq!(found(elsewhere), at(WarningCode::BootstrapMissing));
    }

    #[test]
    fn backslashes_in_names_are_warned_of_once() {
        let names = ["index.py", "lib\\a.py", "lib\\b.py"];
        let found = warnings(&names, "python3.14", "index.handler");
        assert_eq!(codes(&found), [("/code/zipFile", WarningCode::BackslashInName)]);
        assert!(found[0].detail.contains("and 1 more"), "{}", found[0].detail);
    }

    #[test]
    fn inline_source_is_never_without_its_handler() {
        let contents = judge(&bundle::from_source("index.mjs", "x").unwrap()).unwrap();
        assert_eq!(contents.warnings("nodejs24.x", "index.handler", "/code"), []);
    }
}
