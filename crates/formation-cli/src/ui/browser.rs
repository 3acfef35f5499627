//! Opening the page in the user's browser, whose command line other users of the machine can read.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::session::Secret;
use crate::failure::Failure;

/// A file that leads to the page, which only the user can read, in a folder of its own that only the user can
/// look into. Both are removed with this.
#[derive(Debug)]
pub struct Redirect {
    folder: PathBuf,
    file: PathBuf,
}

impl Redirect {
    /// Writes it, under a name that nobody can have taken before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(url: &str) -> Result<Self, Failure> {
        let name = Secret::generate::<16>()
            .map_err(|error| Failure::other("the system has no random numbers", &error))?;
        let folder = folder().join(format!("formation-ui-{}", name.as_str()));
        let unwritten =
            |error| Failure::other(format!("{} cannot be written", folder.display()), &error);
        // The URL is this server's own: nothing in it needs to be escaped.
        let page = format!(
            "<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer>\
             <meta http-equiv=refresh content=\"0;url={url}\"><title>Formation</title>\
             <a href=\"{url}\">Open Formation</a>\n"
        );
        own_folder().create(&folder).map_err(unwritten)?;
        // From here on it is removed, whatever happens.
        let redirect = Self { file: folder.join("open.html"), folder: folder.clone() };
        let mut file = options().open(&redirect.file).map_err(unwritten)?;
        file.write_all(page.as_bytes()).map_err(unwritten)?;
        Ok(redirect)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Redirect {
    fn drop(&mut self) {
        // It leads nowhere any more, whoever has removed it.
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Where the user's own files of a session are, or else those of everybody.
fn folder() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    own.filter(|folder| folder.is_absolute() && folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// A new folder of the user's own.
fn own_folder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// A new file, and nobody else's: whatever is there under its name is not followed.
fn options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Asks the system to open a file, and answers whether it could be asked.
pub fn open(file: &Path) -> bool {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut command = Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        command
    } else {
        Command::new("xdg-open")
    };
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(mut child) => {
            // It may live as long as the browser, and somebody has to wait for it.
            std::thread::spawn(move || child.wait());
            true
        }
        Err(_) => false,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_user_can_read_the_way_in_and_it_does_not_stay() {
        let redirect = Redirect::write("http://127.0.0.1:1/enter?token=t0ken").unwrap();
        let path = redirect.path().to_owned();
        let folder = path.parent().unwrap().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        assert!(fs::read_to_string(&path).unwrap().contains("url=http://127.0.0.1:1/enter"));
        // One that an earlier command has left is in nobody's way.
        let other = Redirect::write("http://127.0.0.1:1/").unwrap();
        assert_ne!(other.path(), path);
        drop(redirect);
        assert!(!path.exists() && !folder.exists());
    }
}
