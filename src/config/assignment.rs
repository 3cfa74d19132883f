//! An `[[app.assignment]]`: which group gives what.

use super::reader::{Place, Spot, Table};
use super::values::{Wrong, closest, neat, one_of, shown, tag};
use crate::domain::assignment::{Assignment, EmptyGroup, GroupRef, Role, RoleGrant};
use crate::domain::dn::DnKey;
use crate::domain::id::{DirectoryName, EntryId};

const ROLES: [(&str, Role); 3] = [("end-user", Role::EndUser), ("agent", Role::Agent), ("admin", Role::Admin)];

/// The names of the configured directories, as they were written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Directories<'n> {
    /// All of them.
    All(&'n [&'n str]),
    /// Some have faults of their own, so that nobody can say which names there are meant to be.
    Unsure,
}

/// What makes two assignments of one app the same.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Dn(DnKey),
    Name(String),
    Id(EntryId),
}

impl From<&GroupRef> for Target {
    fn from(group: &GroupRef) -> Self {
        match group {
            GroupRef::Dn(dn) => Self::Dn(dn.key()),
            GroupRef::Name(name) => Self::Name(name.to_lowercase()),
            GroupRef::Id(id) => Self::Id(*id),
        }
    }
}

/// Reads the assignments of an app.
pub(super) fn read(app: &mut Table<'_>, directories: &Directories<'_>) -> Vec<Assignment> {
    let remedy = "write [[app.assignment]] and name a directory and a group; without one the app has no people";
    let tables = app.full_tables("assignment", remedy);
    let mut seen: Vec<(String, Target, usize)> = Vec::new();
    let mut assignments = Vec::new();
    for (position, table) in tables.into_iter().enumerate() {
        let sink = table.sink();
        let Some((assignment, group_place)) = one(table, directories) else { continue };
        let directory = assignment.directory.as_str().to_owned();
        let target = Target::from(&assignment.group);
        match seen.iter().find(|(in_directory, other, _)| *in_directory == directory && *other == target) {
            Some((_, _, first)) => {
                let what = format!("assignment[{first}] names the same group of {directory}");
                sink.fault(&group_place, what, "join the two: each group once, with all that it gives");
            }
            None => seen.push((directory, target, position)),
        }
        assignments.push(assignment);
    }
    assignments
}

fn one(mut table: Table<'_>, directories: &Directories<'_>) -> Option<(Assignment, Place)> {
    table.need("directory", "name the directory that holds the group: directory = \"corp\"");
    table.need("group", "name the group by DN, name or guid:…: group = \"cn=support,ou=groups,dc=example,dc=org\"");
    let directory = table.parsed("directory", |text| directory(text, directories));
    let group = table.text("group");
    let parsed = group.as_ref().and_then(|spot| table.understood(spot, group_ref));
    let role = role(&mut table, parsed.as_ref());
    let groups = table.set("groups", neat);
    let default_group = table.parsed("default_group", neat).map(Spot::into_value);
    let tags = table.set("tags", tag).unwrap_or_default();
    let empty = match table.flag("may_be_empty") {
        Some(Spot { value: true, .. }) => EmptyGroup::Allowed,
        Some(Spot { value: false, .. }) | None => EmptyGroup::Holds,
    };
    let gives_groups = groups.as_ref().is_some_and(|groups| !groups.is_empty()) || default_group.is_some();
    if matches!(role, Some(RoleGrant::Plain(Role::EndUser))) && gives_groups {
        // API reference, Group Memberships: only agents can be members.
        let what = "an end user can't be in a Zendesk group";
        table.sink().fault(table.place(), what, "make the role \"agent\", or take groups and default_group out");
    }
    table.finish();
    let group = group?;
    let assignment = Assignment {
        directory: directory?.value?,
        group: parsed?,
        text: group.value.to_owned(),
        role,
        groups: groups.unwrap_or_default(),
        default_group,
        tags,
        empty,
    };
    Some((assignment, group.place))
}

/// The directory of an assignment. Nothing where that can't be judged: the directories' own faults are told already.
fn directory(text: &str, directories: &Directories<'_>) -> Result<Option<DirectoryName>, Wrong> {
    let Directories::All(names) = directories else { return Ok(DirectoryName::new(text).ok()) };
    if names.contains(&text) {
        return Ok(DirectoryName::new(text).ok());
    }
    let remedy = match closest(text, names.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => {
            let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
            format!("write a [[directory]] with this name, or one of {}", names.join(", "))
        }
    };
    Err(Wrong::new(format!("there is no directory {}", shown(text)), remedy))
}

fn group_ref(text: &str) -> Result<GroupRef, Wrong> {
    const EXAMPLE: &str = "write a DN, a name, or guid: and the group's objectGUID or entryUUID";
    let name = neat(text).map_err(|wrong| Wrong::new(wrong.what, EXAMPLE))?;
    GroupRef::parse(&name).map_err(|why| Wrong::new(why.0, EXAMPLE))
}

/// The role that an assignment sets, if it sets one.
fn role(table: &mut Table<'_>, group: Option<&GroupRef>) -> Option<RoleGrant> {
    let plain = table.parsed("role", |text| one_of(text, &ROLES));
    let custom = table.parsed("custom_role", neat);
    if let (Some(Spot { value: Role::Admin, place }), Some(GroupRef::Dn(_) | GroupRef::Name(_))) = (&plain, group) {
        // Whoever may rename groups in the directory could else make themselves an admin of Zendesk.
        let what = "a group that gives the role \"admin\" must be named by its immutable id";
        let remedy = "write group = \"guid:…\" with its objectGUID or entryUUID: a name can be given to another group";
        table.sink().fault(place, what, remedy);
    }
    match (plain.map(Spot::into_value), custom) {
        (None, None) => None,
        (Some(role), None) => Some(RoleGrant::Plain(role)),
        (None | Some(Role::Agent), Some(custom)) => Some(RoleGrant::Custom(custom.value)),
        (Some(role @ (Role::EndUser | Role::Admin)), Some(custom)) => {
            let what = format!("a custom role is an agent's, and the role here is \"{role}\"");
            table.sink().fault(&custom.place, what, "take one of the two out");
            Some(RoleGrant::Plain(role))
        }
    }
}
