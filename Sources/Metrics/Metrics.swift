/// Figures for Prometheus: histograms that cost a few instructions to feed, and the page that a
/// scrape gets.
///
/// Nobody registers anything here. Each part keeps plain counters and histograms of its own, on its
/// own thread or under a lock it has anyway; when somebody asks for `/metrics`, each part writes
/// its lines:
///
///     ClientAPI ── requests, store, engine ──┐
///     kvd ── log, snapshots, scrub, peers ───┼─▶ MetricsPage ──▶ text, version 0.0.4
///                                            ┘
///
/// Names that etcd 2.3 has mean here what they mean there (`reference/client-api.md` §10); all
/// others begin with `kvd_`.
package enum Metrics {
    package static let contentType: StaticString = "text/plain; version=0.0.4"
}
