//! How long the command takes by itself: from its start to its end, or to the first byte that it says, and
//! how long it zips. It fails where that is more than it may be (`make bench`).

#![expect(clippy::unwrap_used, reason = "this is a benchmark")]

#[path = "../../formation-client/tests/it/stub.rs"]
#[allow(dead_code, reason = "the client's tests use more of it")]
mod stub;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::stub::{Stub, answer};

/// What nobody waits for.
const AT_ONCE: Duration = Duration::from_millis(20);
/// How often each is measured: the middle counts.
const TIMES: usize = 31;
const FILES: usize = 2000;
const BYTES: usize = 50 * 1024 * 1024;

fn formation(folder: &Path, url: &str, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_formation"));
    command.args(arguments.split(' ')).current_dir(folder).env_clear();
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_REGION", "eu-central-1").env("FORMATION_API_URL", url);
    command.env("AWS_ACCESS_KEY_ID", "AKID").env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// From its start to the first byte that it says, and to its end.
fn run(mut command: Command) -> (Duration, Duration) {
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut byte = [0];
    out.read_exact(&mut byte).unwrap();
    let first = began.elapsed();
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}");
    (first, began.elapsed())
}

/// The middle of so many runs.
fn middle(times: usize, measure: impl Fn() -> Duration) -> Duration {
    let mut all: Vec<_> = (0..times).map(|_| measure()).collect();
    all.sort();
    all[times / 2]
}

fn shown(what: &str, took: Duration) {
    println!("{what:<44} {:>8.1} ms", took.as_secs_f64() * 1000.0);
}

/// Files as programs are made of: words that repeat.
fn files(folder: &Path) {
    let mut random = 1_u32;
    for number in 0..FILES {
        let mut text = String::with_capacity(BYTES / FILES + 16);
        while text.len() < BYTES / FILES {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text += &format!(
                "word{:x}{}",
                (random >> 16) % 3000,
                [" ", "(", ");\n", " = "][random as usize >> 30]
            );
        }
        let path = folder.join(format!("{}/{number}.js", number % 50));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[tokio::main]
async fn main() {
    let stub = Stub::start(|_, seen| match seen.path() {
        "/v1/plan" => {
            let asked: Value = serde_json::from_slice(&seen.body).unwrap();
            let name = &asked["functions"][0]["functionName"];
            answer(
                200,
                &[],
                &json!({"plans": [{"functionName": name, "kind": "CREATE", "parts": []}]}),
            )
        }
        _ => answer(200, &[], &json!({"functions": [stub::function("hello")]})),
    })
    .await;
    let folder = TempDir::with_prefix("formation-").unwrap();
    let url = stub.url.clone();
    tokio::task::spawn_blocking(move || measure(folder.path(), &url)).await.unwrap();
}

fn measure(folder: &Path, url: &str) {
    let mut slow = Vec::new();
    let mut check = |what: &str, took: Duration, most: Duration| {
        shown(what, took);
        if took > most {
            slow.push(format!("{what}: {took:?} is more than {most:?}"));
        }
    };
    for arguments in ["--help", "completions bash", "schema"] {
        let took = middle(TIMES, || run(formation(folder, url, arguments)).1);
        check(&format!("formation {arguments}"), took, AT_ONCE);
    }
    let first = middle(TIMES, || run(formation(folder, url, "list")).0);
    check("formation list, to its first byte", first, AT_ONCE);
    // Beside it, for whoever knows that one.
    if Command::new("aws").arg("--version").output().is_ok_and(|it| it.status.success()) {
        let aws = || {
            let mut command = Command::new("aws");
            command.arg("--version").stdout(Stdio::piped());
            run(command).1
        };
        let _warm = aws();
        shown("aws --version", middle(5, aws));
    }

    fs::write(folder.join("formation.yaml"), "functions: {hello: {code: {folder: app}}}").unwrap();
    fs::create_dir(folder.join("app")).unwrap();
    files(&folder.join("app"));
    let ours = middle(5, || run(formation(folder, url, "plan")).1);
    let what = format!("formation plan, {FILES} files, {} MB", BYTES >> 20);
    if Command::new("zip").arg("-v").output().is_ok_and(|it| it.status.success()) {
        let zip = middle(5, || {
            let _ = fs::remove_file(folder.join("app.zip"));
            let mut command = Command::new("zip");
            command.args(["-1", "-r", "app.zip", "app"]).current_dir(folder);
            run({
                command.stdout(Stdio::piped());
                command
            })
            .1
        });
        check(&what, ours, zip.mul_f64(1.5));
        shown("zip -1 of the same", zip);
    } else {
        shown(&what, ours);
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
