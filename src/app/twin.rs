//! Twins: databases without rows on a throwaway server that plan as production does.
//!
//! Refuses to work on a server that it did not start, unless the user said that it is given up.

use super::schema;
use crate::capture::Gap;
use crate::catalog::QualifiedName;
use crate::cli::Ground as Flagged;
use crate::error::{Error, Kind, Result};
use crate::pack::Pack;
use crate::pack::place::{Class, File, Laid, Layout, Places};
use crate::postgres::catalog::Asked;
use crate::postgres::what_if::NewIndex;
use crate::postgres::{
    ConnectOptions, Environment, Flags, Interrupt, Server, Session, catalog, trace, twin as database, what_if,
};
use crate::scratch;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Nothing runs by itself, and a table larger than this disk is no reason to stop.
const SETTINGS: [(&str, &str); 2] = [("autovacuum", "off"), ("max_connections", "40")];
/// What the databases of ours are called.
pub const SCHEMA: &str = "pgproof_schema";
pub const TWIN: &str = "pgproof_twin";

/// A server that may be written to.
pub struct Ground {
    scratch: Option<scratch::Server>,
    url: Option<String>,
    interrupt: Interrupt,
    admin: Server,
    /// Databases of ours on a server that stays.
    made: std::cell::RefCell<Vec<String>>,
    /// Production's TimeZone, once a pack said so: whether a timestamp's type changes without a rewrite, and which instant
    /// the bound of a partition is, depends on it.
    zone: std::cell::RefCell<Option<String>>,
}

impl Ground {
    /// Starts a server of that major version, or takes the one that the user gives up.
    ///
    /// # Errors
    /// [`Kind::Environment`] where no PostgreSQL of that version can be started; no connection.
    pub async fn start(flags: &Flagged, major: Option<u32>, interrupt: &Interrupt) -> Result<Ground> {
        let (scratch, url) = match &flags.server {
            Some(url) => (None, Some(url.clone())),
            None => {
                let options = scratch::Options {
                    source: flags.postgres.clone(),
                    major,
                    settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                    ..scratch::Options::default()
                };
                (Some(scratch::Server::start(&options)?), None)
            }
        };
        let admin = connect(scratch.as_ref(), url.as_deref(), "postgres", interrupt).await?;
        let (interrupt, made, zone) = (interrupt.clone(), Vec::new().into(), None.into());
        let ground = Ground { scratch, url, interrupt, admin, made, zone };
        ground.check(major).await?;
        Ok(ground)
    }

    /// The user's own server must be one that can be used so.
    async fn check(&self, major: Option<u32>) -> Result<()> {
        let doing = "use the server of --server";
        if self.scratch.is_some() {
            return Ok(());
        }
        let session = self.admin.session("twin").await?;
        let rows = session.rows(doing, "SHOW is_superuser").await?;
        if rows.first().and_then(|row| row.first()?.as_deref()) != Some("on") {
            return Err(Error::new(Kind::Permission, doing)
                .because("this role is no superuser there: statistics and files cannot be written")
                .help("connect as its superuser"));
        }
        database::remove_left_behind(&session).await?;
        let here = self.major();
        if let Some(major) = major.filter(|major| *major != here) {
            return Err(Error::new(Kind::Usage, doing)
                .because(format!("it is PostgreSQL {here}, and the pack is of {major}"))
                .help(format!("name a server of version {major}")));
        }
        Ok(())
    }

    /// `server_version_num` of the server.
    pub fn version_num(&self) -> u32 {
        self.admin.version().num
    }

    /// The server's version, such as `15.18`.
    pub fn version(&self) -> String {
        self.admin.version().short().to_owned()
    }

    /// The server's major version.
    pub fn major(&self) -> u32 {
        self.admin.version().major()
    }

    /// A pool of connections to a database of ours.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn connect(&self, name: &str) -> Result<Server> {
        connect(self.scratch.as_ref(), self.url.as_deref(), &self.named(name), &self.interrupt).await
    }

    /// The name of a database of ours: on a server that stays, another process may have one like it.
    fn named(&self, name: &str) -> String {
        match self.scratch {
            Some(_) => name.to_owned(),
            None => format!("{name}_{}", std::process::id()),
        }
    }

    /// An empty database, sorted as the pack's.
    ///
    /// # Errors
    /// As the server says.
    pub async fn create(&self, name: &str, pack: Option<&Pack>) -> Result<Vec<Gap>> {
        let admin = self.admin.session("twin").await?;
        let name = &self.named(name);
        self.drop_first(&admin, name).await?;
        let unsorted = database::create(&admin, name, pack.map(|p| &p.source), self.major()).await?;
        let zone = pack.and_then(|pack| pack.source.settings.get("TimeZone")).cloned();
        if zone.is_some() {
            *self.zone.borrow_mut() = zone;
        }
        self.mark(&admin, name).await?;
        Ok(unsorted.map(|what| gap(what, "plans of ranges of text")).into_iter().collect())
    }

    /// A copy of a database of ours that nobody is connected to.
    ///
    /// # Errors
    /// As the server says.
    pub async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let admin = self.admin.session("twin").await?;
        let (from, to) = (&self.named(from), &self.named(to));
        self.drop_first(&admin, to).await?;
        database::copy(&admin, from, to, self.major()).await?;
        self.mark(&admin, to).await
    }

    /// Gives it production's time zone, and marks it so that the next run drops it where this one is killed.
    async fn mark(&self, admin: &Session, name: &str) -> Result<()> {
        let zone = self.zone.borrow().clone();
        if let Some(zone) = zone
            && let Err(error) = database::set(admin, name, &[("TimeZone", &zone)]).await
            && trace::ends(&error)
        {
            // One that this server does not know is told of the twin.
            return Err(error);
        }
        if self.scratch.is_some() { Ok(()) } else { database::mark(admin, name).await }
    }

    /// Production's settings, and those, for every session on a database of ours.
    ///
    /// # Errors
    /// As the server says.
    pub async fn settle(&self, name: &str, pack: Option<&Pack>, settings: &[(&str, &str)]) -> Result<()> {
        let admin = self.admin.session("twin").await?;
        let name = self.named(name);
        if let Some(pack) = pack {
            // What this server does not know was told of the twin.
            database::settings(&admin, &name, &pack.source).await?;
        }
        database::set(&admin, &name, settings).await
    }

    async fn drop_first(&self, admin: &Session, name: &str) -> Result<()> {
        self.made.borrow_mut().push(name.to_owned());
        database::remove(admin, name).await
    }

    /// A copy of the database `from`, whose places of the pack are `places`, that plans as the pack's server does.
    /// Indexes that the pack does not know get a model's sizes.
    ///
    /// # Errors
    /// As the server says; a disk that does not take the files.
    pub async fn twin(
        &self,
        from: &str,
        to: &str,
        pack: &Pack,
        places: &Places,
    ) -> Result<(Server, Vec<Gap>)> {
        self.copy(from, to).await?;
        let mut gaps = Vec::new();
        let unknown = {
            let admin = self.admin.session("twin").await?;
            database::settings(&admin, &self.named(to), &pack.source).await?
        };
        if !unknown.is_empty() {
            gaps.push(gap(
                format!("this server does not know production's settings {}", unknown.join(", ")),
                "plans that depend on them",
            ));
        }
        let server = self.connect(to).await?;
        let session = server.session("twin").await?;
        let layout = database::layout(&session).await?;
        let placed = places.on(pack, &layout, self.major());
        let lost = database::inject(&session, &placed, self.major()).await?;
        gaps.extend(lost.into_iter().map(|what| gap(what, "plans that depend on these statistics")));
        database::grow(&session, &placed.files).await?;
        let (indexes, tables) = new_indexes(&layout, &placed.new);
        if !indexes.is_empty() {
            let asked = Asked { relations: &tables, functions: &[], writes: false, parameters: false };
            let facts = catalog::read(&session, asked).await?;
            let sizes = what_if::sizes(&session, &indexes, &facts.catalog).await?;
            let (files, classes): (Vec<File>, Vec<Class>) = sizes.into_iter().unzip();
            database::classes(&session, &classes).await?;
            database::grow(&session, &files).await?;
        }
        drop(session);
        Ok((server, gaps))
    }

    /// Ends the server, or drops what we made on one that stays.
    ///
    /// # Errors
    /// What kept it from ending.
    pub async fn stop(self) -> Result<()> {
        if self.scratch.is_none() {
            let admin = self.admin.cleaning_session("twin").await?;
            let made: Vec<String> = self.made.borrow().clone();
            for name in made {
                database::remove(&admin, &name).await?;
            }
            database::remove_roles(&admin).await?;
        }
        drop(self.admin);
        self.scratch.map_or(Ok(()), scratch::Server::stop)
    }
}

async fn connect(
    scratch: Option<&scratch::Server>,
    url: Option<&str>,
    name: &str,
    interrupt: &Interrupt,
) -> Result<Server> {
    let options = match (scratch, url) {
        (Some(scratch), _) => {
            let flags = Flags { dbname: Some(scratch.url(name)), ..Flags::default() };
            ConnectOptions::resolve(&flags, &Environment::default())?
        }
        (None, url) => {
            let flags = Flags { dbname: url.map(str::to_owned), ..Flags::default() };
            let mut options = ConnectOptions::resolve(&flags, &Environment::of_process())?;
            name.clone_into(&mut options.dbname);
            options.application_name = database::run_name();
            options
        }
    };
    Server::connect(options, 4, interrupt.clone()).await
}

/// The indexes that migrations made on tables with storage, and the tables' names.
fn new_indexes(layout: &Layout, new: &[u32]) -> (Vec<NewIndex>, Vec<QualifiedName>) {
    let laid: HashMap<u32, &Laid> = layout.relations.iter().map(|r| (r.oid, r)).collect();
    let mut tables = BTreeSet::new();
    let mut indexes = Vec::new();
    for index in new.iter().filter_map(|oid| laid.get(oid)) {
        let Some(table) = index.table.and_then(|table| laid.get(&table)) else { continue };
        tables.insert(QualifiedName { schema: table.schema.clone(), name: table.name.clone() });
        indexes.push(NewIndex {
            oid: index.oid,
            schema: table.schema.clone(),
            table: table.name.clone(),
            name: index.name.clone(),
        });
    }
    (indexes, tables.into_iter().collect())
}

fn gap(what: String, disables: &str) -> Gap {
    Gap { what, sqlstate: None, disables: vec![disables.to_owned()] }
}

/// A pack out of a file.
///
/// # Errors
/// [`Kind::Input`] for a file that cannot be read, is no pack, or is one of a newer format.
pub fn read_pack(path: &Path) -> Result<Pack> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::new(Kind::Input, format!("read the pack {name}")).because_of_file(&e))?;
    Pack::read(&text, &name)
}

/// The twin that `--pack` and `--schema` describe. The server goes with the [`Ground`].
///
/// # Errors
/// As the parts of it say; [`Kind::Input`] for a pack of another schema.
pub async fn of_flags(
    flags: &crate::cli::Twin,
    pack: &Path,
    interrupt: &Interrupt,
) -> Result<(Ground, Server, Vec<Gap>)> {
    let read = read_pack(pack)?;
    let scripts = schema::scripts(&flags.schema)?;
    let ground = Ground::start(&flags.ground, Some(read.major()), interrupt).await?;
    let mut gaps = ground.create(SCHEMA, Some(&read)).await?;
    let server = ground.connect(SCHEMA).await?;
    let layout = {
        let session = server.session("twin").await?;
        gaps.extend(schema::load(&session, &scripts).await?);
        database::layout(&session).await?
    };
    drop(server);
    let places = Places::find(&read, &layout);
    fits(&read, &places, pack)?;
    gaps.extend(missing(&read, &places));
    gaps.extend(read.gaps.iter().cloned());
    let (server, more) = ground.twin(SCHEMA, TWIN, &read, &places).await?;
    gaps.extend(more);
    Ok((ground, server, gaps))
}

/// A pack of which the schema has not even a table is one of another database.
///
/// # Errors
/// [`Kind::Input`].
pub fn fits(pack: &Pack, places: &Places, path: &Path) -> Result<()> {
    match places.tables(pack) {
        (0, _) | (_, 1..) => Ok(()),
        (all, 0) => Err(Error::new(Kind::Input, format!("use the pack {}", path.display()))
            .because(format!("the schema has none of its {all} tables"))
            .help("name the pack and the schema of one database")),
    }
}

/// Relations of the pack that the schema lacks.
pub fn missing(pack: &Pack, places: &Places) -> Option<Gap> {
    let missing = places.missing(pack);
    let names: Vec<String> =
        missing.iter().take(5).map(|r| crate::sql::ident::qualified(&r.schema, &r.name)).collect();
    let more = missing.len().saturating_sub(names.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| {
        gap(
            format!("the schema lacks relations that the pack knows: {}{rest}", names.join(", ")),
            "plans that read them",
        )
    })
}
