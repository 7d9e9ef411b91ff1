using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Serialization;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Hours of the week in a time zone: from, inclusive, until, exclusive; over midnight where from is the later one.</summary>
/// <param name="From"><c>HH:mm</c>.</param>
/// <param name="Until"><c>HH:mm</c>.</param>
/// <param name="TimeZone">A name of the IANA database, such as <c>Europe/Berlin</c>.</param>
/// <param name="Days"><c>mon</c> to <c>sun</c>, each the day the hours begin on; null: every day.</param>
public sealed record Hours(
    [property: RegularExpression(Hours.TimeForm), MaxLength(5)] string From,
    [property: RegularExpression(Hours.TimeForm), MaxLength(5)] string Until,
    [property: MaxLength(63)] string TimeZone,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string[]? Days = null
)
{
    internal const string TimeForm = "^([01][0-9]|2[0-3]):[0-5][0-9]$";
    private const int MinutesOfDay = 24 * 60;

    public static readonly string[] AllDays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    public bool Hold(DateTimeOffset now)
    {
        var local = TimeZoneInfo.ConvertTime(now, TimeZoneInfo.FindSystemTimeZoneById(TimeZone));
        return Parse().Hold(DayOf(local), TimeOnly.FromTimeSpan(local.TimeOfDay));
    }

    /// <summary>Whether the others hold whenever these do. Those of another time zone never do, as far as is known.</summary>
    public bool AreWithin(Hours others)
    {
        if (TimeZone != others.TimeZone)
        {
            return false;
        }

        var (these, those) = (Parse(), others.Parse());
        return Enumerable
            .Range(0, 7 * MinutesOfDay)
            .Select(minute => (Day: minute / MinutesOfDay, At: TimeOnly.MinValue.AddMinutes(minute % MinutesOfDay)))
            .All(at => !these.Hold(at.Day, at.At) || those.Hold(at.Day, at.At));
    }

    public override string ToString() =>
        $"{From} to {Until} {TimeZone}{(Days is null ? "" : $" on {string.Join(", ", Days)}")}";

    private static int DayOf(DateTimeOffset local) => ((int)local.DayOfWeek + 6) % 7;

    private Span Parse() =>
        new(
            TimeOnly.ParseExact(From, "HH:mm", CultureInfo.InvariantCulture),
            TimeOnly.ParseExact(Until, "HH:mm", CultureInfo.InvariantCulture),
            Days?.Select(day => Array.IndexOf(AllDays, day)).ToArray()
        );

    /// <param name="Days">From 0, Monday.</param>
    private readonly record struct Span(TimeOnly From, TimeOnly Until, int[]? Days)
    {
        public bool Hold(int day, TimeOnly at)
        {
            var isOvernight = From >= Until;
            if (isOvernight ? at < From && at >= Until : at < From || at >= Until)
            {
                return false;
            }

            var began = isOvernight && at < Until ? (day + 6) % 7 : day;
            return Days is null || Days.Contains(began);
        }
    }
}
