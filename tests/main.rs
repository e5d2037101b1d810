//! Integration tests, one file for each promise. One binary, so that they share one API server.

mod support;

mod cluster_processes;
mod crds_are_generated;
mod odd_pools_are_mirrored;
mod pools_are_mirrored;
mod sources_are_checked;
