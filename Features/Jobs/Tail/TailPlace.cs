using System.Globalization;

namespace Bellhop.Features.Jobs.Tail;

/// <summary>A place among the ends of a project's jobs, in the order they are told in: by their moment, then by the job's id.</summary>
internal readonly record struct TailPlace(DateTime At, Guid Id)
{
    /// <summary>Before all that ended at this moment or later.</summary>
    public static TailPlace Before(DateTime at) => new(at, Guid.Empty);

    /// <summary>As an event carries it, and as it comes back in <c>Last-Event-ID</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(At - DateTime.UnixEpoch).Ticks / 10}-{Id:N}");

    public static bool TryParse(string text, out TailPlace place)
    {
        place = default;
        if (
            text.Split('-') is not [var moment, var id]
            || !long.TryParse(moment, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds)
            || microseconds > (DateTime.MaxValue - DateTime.UnixEpoch).Ticks / 10
            || !Guid.TryParseExact(id, "N", out var job)
        )
        {
            return false;
        }

        place = new TailPlace(DateTime.UnixEpoch.AddTicks(microseconds * 10), job);
        return true;
    }

    public bool IsBehind(TailPlace other) => At > other.At || (At == other.At && Compare(Id, other.Id) > 0);

    // as the database orders them: byte by byte
    private static int Compare(Guid one, Guid other)
    {
        Span<byte> left = stackalloc byte[16];
        Span<byte> right = stackalloc byte[16];
        one.TryWriteBytes(left, bigEndian: true, out _);
        other.TryWriteBytes(right, bigEndian: true, out _);
        return left.SequenceCompareTo(right);
    }
}
