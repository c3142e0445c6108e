//! `--distcc`: other machines compile along. Here the other machine is a second container.

use super::yard::{MAKE, Yard, have, notes, podman, units};
use crate::{checkout::built, support};

/// A container with distccd, gone with the value.
struct Distccd {
    name: String,
    port: u16,
}

impl Distccd {
    fn start(image: &str) -> Self {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let name = format!("mesos-calico-test-distccd-{port}");
        let shown = port.to_string();
        let limits = ["--ulimit=nofile=1000:1000", "--ulimit=nproc=2000:2000"];
        let run = ["run", "--detach", "--rm", "--pull=never", "--network=host", "--name", &name];
        let daemon = ["distccd", "--daemon", "--no-detach", "--user", "builder", "--log-stderr"];
        let listen = ["--listen", "127.0.0.1", "--allow", "127.0.0.1", "--port", &shown];
        let args = [&run[..], &limits, &[image], &daemon, &listen].concat();
        support::ok(&mut podman(&args));
        // It says nothing when it is ready; it can only be tried.
        let tried = (0..600).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(tried, "no distccd came up");
        Self { name, port }
    }

    fn log(&self) -> String {
        let output = support::run(&mut podman(&["logs", &self.name]));
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Distccd {
    fn drop(&mut self) {
        support::run(&mut podman(&["rm", "--force", "--time", "0", &self.name]));
    }
}

#[test]
fn machines_of_a_farm_compile_along() {
    if !have("distcc", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    units(&yard, 12);
    // Makes the image that the other machine has as well.
    yard.ok(&["rpm"]);
    let images =
        ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=*builder-test*"];
    let images = support::ok(&mut podman(&images));
    let distccd = Distccd::start(images.lines().next().unwrap());
    let makefile = yard.checkout.path("specs/tiny/src/Makefile");
    let text = fs_err::read_to_string(&makefile).unwrap();
    fs_err::write(&makefile, text.replace("-Wall", "-Wall -O2; echo $$JOBS jobs")).unwrap();
    fs_err::write(
        &makefile,
        fs_err::read_to_string(&makefile)
            .unwrap()
            .replace("; echo $$JOBS jobs -c -o $@ $<", " -c -o $@ $<; echo $$JOBS jobs"),
    )
    .unwrap();
    let hosts = format!("127.0.0.1:{}/6", distccd.port);
    let events = yard.events(&["--distcc", &hosts]);
    let log = distccd.log();
    assert!(log.matches("COMPILE_OK").count() >= 12, "{log}");
    let lines = events.iter().filter(|e| e["line"] == "6 jobs").count();
    assert_eq!(lines, 13, "as many jobs as the farm takes");
    // The cache stands before the farm: what is known is sent nowhere.
    yard.spec(
        "tiny",
        "",
        &[MAKE[0], ("install", "install -D -m 700 tiny $STAGE/usr/share/tiny/t")],
    );
    let events = yard.events(&["--distcc", &hosts]);
    assert!(notes(&events).iter().any(|n| n.contains("13 of 13")), "{:?}", notes(&events));
    assert_eq!(distccd.log().matches("COMPILE_OK").count(), log.matches("COMPILE_OK").count());
    let key = support::key_file("b");
    let release = ["rpm", "--distcc", &hosts, "--release", "--key", key.to_str().unwrap()];
    let (code, message) = yard.fails(&release);
    assert_eq!(code, 2, "{message}");
    // Nor does a release take what the farm has compiled before.
    let events = yard.events(&["--release", "--key", key.to_str().unwrap()]);
    assert!(built(&events).contains(&"compile tiny".to_owned()));
    assert!(notes(&events).iter().any(|n| n.contains("had 0 of 13")), "{:?}", notes(&events));
}
