/// One record of a log, where it lies. `data` is void after the visit.
package struct LogRecord {
    package var segment: WALSegmentName
    /// Where its frame starts in the segment.
    package var offset: Int
    /// Which record of its segment it is, from 1.
    package var number: Int
    package var type: WALRecordType
    /// As the record has it.
    package var crc: UInt32
    /// Whether its bytes are those that were written: its crc is right and, of a marker, that of
    /// its batch too.
    package var isIntact: Bool
    package var data: UnsafeRawBufferPointer
    /// Bytes of the whole frame.
    package var frameBytes: Int
    /// Of a record that begins a batch, what it says.
    package var marker: WALMarker?

    init(_ frame: WALFrame, of segment: WALSegmentName, at offset: Int, number: Int) {
        self.segment = segment
        self.offset = offset
        self.number = number
        type = frame.type
        crc = frame.crc
        isIntact = true
        data = frame.data
        frameBytes = frame.sizeBytes
        marker = frame.type == .crc ? WALMarker.decode(frame.data) : nil
    }
}

/// What a `LogScan` saw.
package struct LogScanSummary: Sendable {
    package struct Segment: Sendable {
        package var name: WALSegmentName
        package var sizeBytes: Int
        /// Where its data ends; zeros follow, or what a recycled file had before.
        package var endBytes = 0
        package var recordCount = 0
        package var batchCount = 0
        /// First and last index of the entries in it.
        package var indices: ClosedRange<UInt64>?
        package var writer = RecoveryReport.Writer.etcd2
    }

    /// Those that were read, in their order.
    package var segments: [Segment] = []
    /// What a recovery would cut off at the end: an unfinished write, no damage.
    package var cut: RecoveryReport.Cut?
    /// What a recovery would refuse. The scan went on behind each.
    package var damage: [WALError] = []
    /// Whether the visitor ended it.
    package var isCutShort = false
    /// Names in the log's dir that are none of a segment.
    package var ignoredNames: [String] = []

    package init() {}
}
