import ProcessSupport
import Soak
import Testing

@Suite(.timeLimit(.minutes(3))) struct SoakTests {
    /// Of a run of 800 s, whose figures come from `change`, given the share of the second half.
    private func samples(_ change: (inout Sample, Double) -> Void) -> [Sample] {
        (0..<800).map { second in
            var footprint = Footprint()
            footprint.residentBytes = 100 << 20
            (footprint.descriptorCount, footprint.threadCount) = (20, 8)
            var sample = Sample(
                seconds: Double(second), footprint: footprint, diskBytes: 300_000_000,
                snapshotBytes: 1_000_000)
            change(&sample, max(0, Double(second) - 400) / 400)
            return sample
        }
    }

    private func verdict(_ change: (inout Sample, Double) -> Void) -> Verdict {
        Verdict(leftAlone: samples(change), secondHalfFrom: 400, to: 800)
    }

    @Test func whatIsFlatPasses() {
        let flat = verdict { sample, _ in
            sample.footprint.residentBytes += Int(sample.seconds) % 7 << 20
        }
        #expect(flat.rows.count == 4 && !flat.isMissed)
    }

    @Test(arguments: ["memory", "descriptors", "threads", "disk, at most"])
    func whatGrowsIsMissed(_ name: String) {
        let grown = verdict { sample, share in
            switch name {
            case "memory": sample.footprint.residentBytes += Int(share * 10_000_000)
            case "descriptors": sample.footprint.descriptorCount += Int(share * 40)
            case "threads": sample.footprint.threadCount += Int(share * 10)
            default: sample.diskBytes += Int(share * 400_000_000)
            }
        }
        #expect(grown.rows.filter(\.isMissed).map(\.name) == [name])
    }

    /// Those that are restarted, too: what they keep on their disks, and read back from there.
    @Test func membersThatAreRestartedMustNotGrow() {
        let flat = samples { _, _ in }
        let sawtooth = samples { sample, _ in
            sample.footprint.residentBytes += Int(sample.seconds) % 45 << 20
        }
        let grown = samples { sample, share in
            sample.footprint.residentBytes += Int(share * 200_000_000)
            sample.diskBytes += Int(share * 400_000_000)
        }
        let verdict = Verdict(
            leftAlone: flat, restarted: [sawtooth, grown], secondHalfFrom: 400, to: 800)
        #expect(verdict.rows.filter(\.isMissed).map(\.name) == ["memory of m2", "disk of m2"])
    }

    /// Memory is not judged: a few seconds after its start a process still grows.
    @Test func aShortRunWithRestarts() throws {
        var options = SoakRun.Options()
        options.members = 3
        options.duration = .seconds(12)
        options.sampleEvery = .milliseconds(200)
        options.restartEvery = .seconds(2)
        let run = try SoakRun(options) { _ in }
        let verdict = try run.run()
        #expect(run.restartCount >= 2)
        #expect(run.requestCount > 0)
        #expect(verdict.rows.map(\.name).contains("memory"))
        #expect(
            !verdict.rows.contains { !$0.name.hasPrefix("memory") && $0.isMissed },
            "\(verdict.text)")
    }
}
