//! Real directory servers, slapd and Samba: what the fakes stand for. Each test says so when it is skipped.

mod directory;
mod directory_faults;
mod directory_servers;
mod four_way;
