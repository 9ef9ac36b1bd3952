//! A service that a notebook looks into while it serves: lines over TCP, kept in a SQLite database in memory.
//!
//! ```sh
//! cargo run -p caller-kernel --example embed -- --connection-file target/embed.json --port 7878
//! jupyter console --existing target/embed.json    # in another terminal
//! ```
//!
//! The database and its prepared statements are a resident of the caller `db`, which has a thread of its own. The service
//! reaches the store by calls, and so do the functions that cells have: `db.query(sql)`, `db.put(key, value)`,
//! `db.get(key)`, `db.count()`; `service.served()` asks the service itself. A cell that begins with `-- caller name=db` runs
//! in the thread of the database.
//!
//! The service speaks lines: `PUT key value`, `GET key`, `COUNT`. It ends by Ctrl-C, when its standard input ends with
//! `--until-eof`, or after `--seconds`. A shutdown from a front end ends the kernel, and not the service.

use std::{
    io::Read,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use caller::{AsyncEvent, Caller, Resident};
use caller_kernel::{
    Kernel,
    lua::{Exposed, Json, LuaLanguage, Methods},
};
use caller_tokio::Tokio;
use clap::Parser;
use rusqlite::{Connection, params, types::ValueRef};
use serde_json::{Map, Number, Value};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A TCP service with a database, and a kernel to look into it.
#[derive(Parser)]
struct Args {
    /// The connection file of the kernel; it is written, unless it is there
    #[arg(long, value_name = "FILE")]
    connection_file: Option<PathBuf>,
    /// The port of the service; 0 takes one that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// End when the standard input does
    #[arg(long)]
    until_eof: bool,
}

/// What belongs to the thread of the database.
struct Store {
    connection: Connection,
}

impl Store {
    fn open() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch("CREATE TABLE pairs (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")?;
        Ok(Self { connection })
    }

    // The connection keeps the statements prepared.
    fn put(&self, key: &str, value: &str) -> rusqlite::Result<()> {
        let sql = "INSERT INTO pairs (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
        self.connection.prepare_cached(sql)?.execute(params![key, value]).map(drop)
    }

    fn get(&self, key: &str) -> rusqlite::Result<Option<String>> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM pairs WHERE key = ?1")?;
        let mut rows = statement.query(params![key])?;
        rows.next()?.map(|row| row.get(0)).transpose()
    }

    fn count(&self) -> rusqlite::Result<i64> {
        self.connection.prepare_cached("SELECT count(*) FROM pairs")?.query_row([], |row| row.get(0))
    }

    fn query(&self, sql: &str) -> rusqlite::Result<Vec<Map<String, Value>>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let mut one = Map::new();
            for (at, name) in names.iter().enumerate() {
                let value = match row.get_ref(at)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => number.into(),
                    ValueRef::Real(number) => Number::from_f64(number).into(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                    ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
                };
                one.insert(name.clone(), value);
            }
            all.push(one);
        }
        Ok(all)
    }
}

/// The functions that cells have of the service.
fn exposed(store: &Resident<Store>, served: &Arc<AtomicU64>) -> Exposed {
    let served = served.clone();
    let methods = Methods::<Store>::new()
        .try_function(
            "db.put",
            "db.put(key, value)\nKeeps a value.",
            |store, (key, value): (String, String)| store.put(&key, &value),
        )
        .try_function("db.get", "db.get(key)\nThe value of a key, or nil.", |store, key: String| {
            store.get(&key)
        })
        .try_function("db.count", "db.count()\nHow many pairs there are.", |store, ()| store.count())
        .try_function(
            "db.query",
            "db.query(sql)\nThe rows of a query, as tables by column.",
            |store, sql: String| store.query(&sql).map(Json),
        );
    Exposed::new().on(store, methods).function(
        "service.served",
        "service.served()\nHow many lines were answered so far.",
        move |()| served.load(Ordering::Relaxed),
    )
}

/// Answers the lines of one client. Each is a call in the thread of the database.
async fn serve(mut client: TcpStream, store: Resident<Store>, served: Arc<AtomicU64>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let (reader, mut writer) = client.split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let answer = match (words.next().as_deref(), words.next(), words.next()) {
            (Some("PUT"), Some(key), Some(value)) => {
                let put = store.try_call(async move |store| store.put(&key, &value));
                put.await.map(|()| "OK".to_owned())
            }
            (Some("GET"), Some(key), None) => {
                let got = store.try_call(async move |store| store.get(&key)).await;
                got.map(|value| value.map_or_else(|| "NONE".to_owned(), |value| format!("VALUE {value}")))
            }
            (Some("COUNT"), None, None) => {
                let counted = store.try_call(async |store| store.count()).await;
                counted.map(|count| format!("COUNT {count}"))
            }
            _ => Ok("ERROR say `PUT key value`, `GET key` or `COUNT`".to_owned()),
        };
        served.fetch_add(1, Ordering::Relaxed);
        let answer = answer.unwrap_or_else(|error| format!("ERROR {error}"));
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

#[caller::main(backend = Tokio::new(), name = "service")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let service = Caller::current()?;
    let db = service.child("db")?;
    let store = db.try_resident(async || Store::open()).await?;
    let served = Arc::new(AtomicU64::new(0));
    // An embedded kernel keeps cells from the process and its files.
    let language = LuaLanguage::new().sandbox(true).memory_limit(256 << 20).expose(exposed(&store, &served));
    let mut kernel = Kernel::builder().language(language).caller("db", &db);
    if let Some(path) = &args.connection_file {
        kernel = kernel.connection_file(path);
    }
    let kernel = kernel.start()?;

    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    println!("serving at {}", listener.local_addr()?);
    match &args.connection_file {
        Some(path) => println!("jupyter console --existing {}", path.display()),
        None => println!("the kernel listens at port {}", kernel.connection().shell_port),
    }

    let over = AsyncEvent::new();
    let end = over.clone();
    ctrlc::set_handler(move || end.set())?;
    if args.until_eof {
        let end = over.clone();
        // Not in a worker: nothing ends this read but the end of the input, and the service would wait for it.
        std::thread::spawn(move || {
            let _read = std::io::stdin().read_to_end(&mut Vec::new());
            end.set();
        });
    }
    if let Some(seconds) = args.seconds {
        let end = over.clone();
        drop(service.call_later(Duration::from_secs(seconds), async move || end.set()));
    }
    loop {
        tokio::select! {
            client = listener.accept() => {
                let (client, store, served) = (client?.0, store.clone(), served.clone());
                drop(service.try_call_soon(async move || serve(client, store, served).await));
            }
            () = over.wait() => break,
        }
    }
    println!("{} lines served", served.load(Ordering::Relaxed));
    // With the kernel's callers, no cell is left in the thread of the database.
    kernel.stop();
    kernel.stopped().await;
    // The connection goes in its thread, when the lines that came before are answered.
    store.close().await?;
    Ok(())
}
