using System.Globalization;
using System.Text.Json.Serialization;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Hours of the week in a time zone: from, inclusive, until, exclusive; over midnight where from is the later one.</summary>
/// <param name="From"><c>HH:mm</c>.</param>
/// <param name="Until"><c>HH:mm</c>.</param>
/// <param name="TimeZone">A name of the IANA database, such as <c>Europe/Berlin</c>.</param>
/// <param name="Days"><c>mon</c> to <c>sun</c>, each the day the hours begin on; null: every day.</param>
public sealed record Hours(
    string From,
    string Until,
    string TimeZone,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string[]? Days
)
{
    public static readonly string[] AllDays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    public bool Hold(DateTimeOffset now)
    {
        var local = TimeZoneInfo.ConvertTime(now, TimeZoneInfo.FindSystemTimeZoneById(TimeZone));
        var (from, until, at) = (Parse(From), Parse(Until), TimeOnly.FromTimeSpan(local.TimeOfDay));
        var isOvernight = from >= until;
        if (isOvernight ? at < from && at >= until : at < from || at >= until)
        {
            return false;
        }

        var began = isOvernight && at < until ? local.AddDays(-1) : local;
        return Days is null || Days.Contains(AllDays[((int)began.DayOfWeek + 6) % 7], StringComparer.Ordinal);
    }

    public override string ToString() =>
        $"{From} to {Until} {TimeZone}{(Days is null ? "" : $" on {string.Join(", ", Days)}")}";

    private static TimeOnly Parse(string text) => TimeOnly.ParseExact(text, "HH:mm", CultureInfo.InvariantCulture);
}
