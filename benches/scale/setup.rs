//! What does not depend on the number of pools: machine, versions, command, sizes of programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::contender::Contender;
use super::results::{Results, Run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Results without runs.
pub fn results(contenders: &[Contender]) -> Results {
    let told = |program: &str, arguments: &[&str]| -> Option<String> {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let kib = memory
        .as_deref()
        .and_then(|m| m.strip_suffix(" kB")?.parse::<f64>().ok());
    let machine = [
        ("CPU", after(&read("/proc/cpuinfo"), "model name")),
        (
            "cores",
            std::thread::available_parallelism()
                .ok()
                .map(|n| n.to_string()),
        ),
        (
            "memory",
            kib.map(|kib| format!("{:.0} GiB", kib / 1024.0 / 1024.0)),
        ),
        ("kernel", told("uname", &["-sr"])),
    ];
    let peer = |file: &str, name: &str| after(&read(&format!("{ROOT}/benches/peers/{file}")), name);
    let mut versions = vec![
        (
            "modelarts-pool-controller",
            Some(env!("CARGO_PKG_VERSION").to_owned()),
        ),
        ("rustc", told("rustc", &["--version"])),
        (
            "Kubernetes",
            after(
                &read(&format!("{ROOT}/tests/cluster/go.mod")),
                "\tk8s.io/kubernetes",
            ),
        ),
    ];
    if contenders.contains(&Contender::Go) {
        versions.push(("Go", told("go", &["env", "GOVERSION"])));
        versions.push((
            "controller-runtime",
            peer("go/go.mod", "\tsigs.k8s.io/controller-runtime"),
        ));
    }
    if contenders.contains(&Contender::Kopf) {
        let kopf = peer("kopf/requirements.txt", "kopf==");
        versions.push((
            "kopf",
            kopf.map(|k| k.trim_end_matches([' ', '\\']).to_owned()),
        ));
        versions.push((
            "Python",
            told(
                &format!("{ROOT}/target/peers/kopf/bin/python"),
                &["--version"],
            ),
        ));
    }
    let known = |pairs: Vec<(&str, Option<String>)>| -> BTreeMap<String, String> {
        let known = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        known.collect()
    };
    Results {
        command: std::env::var("BENCH_COMMAND").unwrap_or_else(|_| "make bench".to_owned()),
        machine: known(machine.into()),
        versions: known(versions),
        runs: Vec::new(),
    }
}

/// Adds what programs and image weigh; an image that is not built is not measured.
pub fn sizes(results: &mut Results, controller: &Path, contenders: &[Contender]) {
    let mib = |path: &Path| -> Option<f64> {
        Some(fs::metadata(path).ok()?.len() as f64 / 1024.0 / 1024.0)
    };
    let root = Path::new(ROOT);
    let image = root.join("target/image/modelarts-pool-controller.oci.tar");
    let mut add = |contender: Contender, sizes: [(&str, Option<f64>); 2]| {
        let known = sizes
            .into_iter()
            .filter_map(|(name, size)| Some((name.to_owned(), size?)));
        results.runs.push(Run {
            contender: contender.name().to_owned(),
            pools: 0,
            repetition: 0,
            measured: known.collect(),
        });
    };
    add(
        Contender::Controller,
        [("binary_mib", mib(controller)), ("image_mib", mib(&image))],
    );
    if contenders.contains(&Contender::Go) {
        add(
            Contender::Go,
            [
                ("binary_mib", mib(&root.join("target/peers/go"))),
                ("image_mib", None),
            ],
        );
    }
}
