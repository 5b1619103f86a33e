import ProcessSupport
import Soak
import Testing

@Suite(.timeLimit(.minutes(3))) struct SoakTests {
    /// Of a run of 800 s, whose figures come from `change`, given the share of the second half.
    private func verdict(_ change: (inout Sample, Double) -> Void) -> Verdict {
        let samples = (0..<800).map { second in
            var footprint = Footprint()
            footprint.residentBytes = 100 << 20
            (footprint.descriptorCount, footprint.threadCount) = (20, 8)
            var sample = Sample(
                seconds: Double(second), footprint: footprint, diskBytes: 300_000_000,
                snapshotBytes: 1_000_000)
            change(&sample, max(0, Double(second) - 400) / 400)
            return sample
        }
        return Verdict(samples, secondHalfFrom: 400, to: 800)
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
        #expect(!verdict.rows.contains { $0.name != "memory" && $0.isMissed }, "\(verdict.text)")
    }
}
