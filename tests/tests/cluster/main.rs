//! Tests on real processes, sockets and files. One file for each behaviour; names are what must be so.
//!
//! What breaks nothing uses the shared cluster, with database names of its own; what kills or configures has a cluster of
//! its own, one at a time. Client programs of others must be installed: a missing one fails its test and says what to
//! install.

mod adopting_files;
mod assigning_on_demand;
mod bad_input;
mod changing_controllers;
mod client_programs;
mod collecting_from_many;
mod command_line;
mod configuration;
mod controllers_alone;
mod creating_databases;
mod damaged_data;
mod damaged_journals;
mod database_options;
mod draining_under_load;
mod drivers_side_by_side;
mod dying_leaders;
mod encrypting_clients;
mod exactly_once;
mod failing_stores;
mod following_clients;
mod forking_databases;
mod killing_under_load;
mod loads_from_prometheus;
mod locations_of_clients;
mod losing_controllers;
mod losing_servers;
mod measures_and_logs;
mod naming_databases;
mod nothing_unusual;
mod paused_servers;
mod placing_by_load;
mod putting_away;
mod python_driver;
mod refusing_clients;
mod restoring_the_map;
mod rust_client;
mod sending_directives;
mod stale_routes;
mod telling_clients;
mod telling_what_happened;
mod time_limits;
mod two_of_one_identity;
mod watching_over_servers;
