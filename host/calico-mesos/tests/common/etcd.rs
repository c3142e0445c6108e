//! A real etcd with the v2 API, in the namespace of the calling thread, and plain requests to it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::{AUTHORITY, HOST, HOST_IP, HOST_IP6, wait_for};

pub struct Etcd {
    process: Child,
    data: PathBuf,
    arguments: Vec<String>,
}

impl Etcd {
    pub fn start(folder: &Path) -> Self {
        let client = format!("http://{AUTHORITY}");
        Self::start_with(folder, &client, &[])
    }

    /// Starts with another client URL and more arguments; waits for a plain one only.
    pub fn start_with(folder: &Path, client: &str, more: &[String]) -> Self {
        let peer = "http://127.0.0.1:2380";
        let mut arguments: Vec<String> = [
            "--enable-v2=true",
            "--log-level=error",
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            &format!("default={peer}"),
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend_from_slice(more);
        let data = folder.join("etcd");
        let mut etcd = Self { process: launch(&data, &arguments), data, arguments };
        if client.starts_with("http:") {
            etcd.wait();
        }
        etcd
    }

    pub fn wait(&mut self) {
        wait_for("etcd", || {
            assert!(self.process.try_wait().unwrap().is_none(), "etcd has ended");
            // It answers before it has a leader; a write needs one.
            let put = ureq::put(url("/test-is-up")).content_type(FORM).send("value=1");
            put.is_ok_and(|answer| answer.status().is_success())
        });
        self.delete("/test-is-up");
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id() as i32), signal).unwrap();
    }

    /// Kills it.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Has it end by itself.
    pub fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        let _ = self.process.wait();
    }

    /// Starts it again on its data.
    pub fn restart(&mut self) {
        self.process = launch(&self.data, &self.arguments);
        self.wait();
    }

    /// What `calicoctl node` and `calicoctl pool add` would have written (facts 2.1), as far as the plugin
    /// reads it.
    pub fn seed(&self) {
        self.put("/calico/v1/Ready", "true");
        self.put(&format!("/calico/v1/host/{HOST}/bird_ip"), HOST_IP);
        self.put(&format!("/calico/bgp/v1/host/{HOST}/ip_addr_v4"), HOST_IP);
        self.put(&format!("/calico/bgp/v1/host/{HOST}/ip_addr_v6"), HOST_IP6);
        self.pool("192.168.0.0/16");
        self.pool("fd80:24e2:f998:72d6::/64");
    }

    pub fn pool(&self, cidr: &str) {
        let version = if cidr.contains(':') { 6 } else { 4 };
        let key = format!("/calico/v1/ipam/v{version}/pool/{}", cidr.replace('/', "-"));
        self.put(&key, &json!({"cidr": cidr}).to_string());
    }

    pub fn put(&self, key: &str, value: &str) {
        let answer = ureq::put(url(key)).send_form([("value", value)]).unwrap();
        assert!(answer.status().is_success());
    }

    pub fn delete(&self, key: &str) {
        let _ = ureq::delete(format!("{}?recursive=true", url(key))).call();
    }

    /// The node of a key with everything below it.
    pub fn node(&self, key: &str) -> Option<Value> {
        let answer =
            ureq::get(format!("{}?recursive=true&sorted=true&quorum=true", url(key))).call();
        let text = answer.ok()?.into_body().read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        Some(answer["node"].take())
    }

    /// The one endpoint of a container.
    pub fn endpoint(&self, container_id: &str) -> Value {
        let key = format!("/calico/v1/host/{HOST}/workload/mesos/{container_id}/endpoint");
        let folder = self.node(&key).unwrap_or_else(|| panic!("{container_id} has no endpoint"));
        let nodes = folder["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 1);
        serde_json::from_str(nodes[0]["value"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.stop();
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

pub fn url(key: &str) -> String {
    format!("http://{AUTHORITY}/v2/keys{key}")
}

fn launch(data: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new("etcd");
    command.env_clear().arg("--data-dir").arg(data).args(arguments);
    // A quiet one: its output would mix with the tests'.
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
