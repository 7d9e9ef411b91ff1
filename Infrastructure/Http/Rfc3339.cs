using System.Globalization;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Http;

/// <summary>Times on the wire, one reading of them everywhere.</summary>
/// <remarks>RFC 3339 with its offset, <c>T</c> and <c>Z</c> in either case, of up to 14 hours. Leap seconds are not taken.</remarks>
public static partial class Rfc3339
{
    /// <summary>No time has more characters.</summary>
    public const int MaxLength = 46;

    public const string Form =
        "A time must be RFC 3339 with an offset of 14 hours at most, such as 2026-01-31T09:30:00Z.";

    /// <summary>The moment in UTC; null where the text is not such a time.</summary>
    public static DateTime? Parse(string text) =>
        Shape().IsMatch(text)
        && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var moment)
            ? moment.UtcDateTime
            : null;

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,20})?([Zz]|[+-]\d\d:\d\d)\z", RegexOptions.ECMAScript)]
    private static partial Regex Shape();
}
