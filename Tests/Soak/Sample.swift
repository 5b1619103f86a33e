import Foundation
package import ProcessSupport

/// What one member took at one moment.
package struct Sample: Sendable {
    package var seconds: Double
    package var footprint: Footprint
    /// Of the data dir, as allocated.
    package var diskBytes: Int
    /// The largest snapshot file in it.
    package var snapshotBytes: Int
    /// A snapshot that the member has set aside as damaged.
    package var brokenSnapshot: String?

    package init(seconds: Double, footprint: Footprint, diskBytes: Int, snapshotBytes: Int) {
        (self.seconds, self.footprint) = (seconds, footprint)
        (self.diskBytes, self.snapshotBytes) = (diskBytes, snapshotBytes)
    }

    /// Of a running member.
    static func take(of process: Int32, dataDirectory: String, seconds: Double) throws -> Sample {
        var sample = Sample(
            seconds: seconds, footprint: try Footprint(of: process), diskBytes: 0, snapshotBytes: 0)
        let files = FileManager.default.enumerator(atPath: dataDirectory)
        while let name = files?.nextObject() as? String {
            var status = stat()
            // Files come and go meanwhile.
            guard lstat("\(dataDirectory)/\(name)", &status) == 0 else { continue }
            sample.diskBytes += Int(status.st_blocks) * 512
            if name.hasSuffix(".broken") { sample.brokenSnapshot = name }
            if name.hasSuffix(".ksnap") {
                sample.snapshotBytes = max(sample.snapshotBytes, Int(status.st_size))
            }
        }
        return sample
    }
}
