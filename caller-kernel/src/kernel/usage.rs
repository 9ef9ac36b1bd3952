//! What the kernel and its machine use, as the content of a `usage_reply`.

use std::{
    process,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The figures of the last time: the use of processors is told for the time since then.
#[derive(Default)]
pub(crate) struct Usage(Mutex<Option<System>>);

impl Usage {
    pub(crate) fn measure(&self) -> Result<Value, sysinfo::Error> {
        let mut system = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let system = match &mut *system {
            Some(system) => system,
            none => none.insert(System::new()?),
        };
        let own = Pid::from_u32(process::id());
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, what);
        system.refresh_cpu_usage();
        system.refresh_memory();
        let kernel = system.process(own);
        let (total, available) = (system.total_memory(), system.available_memory());
        let percent = if total == 0 { 0.0 } else { 100.0 * (1.0 - available as f64 / total as f64) };
        Ok(json!({
            "status": "ok",
            "hostname": System::host_name().ok(),
            "pid": process::id(),
            "kernel_cpu": kernel.map_or(0.0, |kernel| kernel.cpu_usage()),
            "kernel_memory": kernel.map_or(0, |kernel| kernel.memory()),
            "host_cpu_percent": system.global_cpu_usage(),
            "cpu_count": system.cpus().len(),
            "host_virtual_memory": {
                "total": total, "available": available, "percent": (10.0 * percent).round() / 10.0,
                "used": system.used_memory(), "free": system.free_memory(),
            },
        }))
    }
}
