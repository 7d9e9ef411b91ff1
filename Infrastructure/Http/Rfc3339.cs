using System.Globalization;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Http;

/// <summary>Times on the wire.</summary>
public static partial class Rfc3339
{
    /// <summary>The moment in UTC; null where the text is not RFC 3339 with an offset. Leap seconds are not taken.</summary>
    public static DateTime? Parse(string text) =>
        Shape().IsMatch(text)
        && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var moment)
            ? moment.UtcDateTime
            : null;

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,20})?([Zz]|[+-]\d\d:\d\d)\z", RegexOptions.ECMAScript)]
    private static partial Regex Shape();
}
