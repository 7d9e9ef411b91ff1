using System.Globalization;
using System.Text;

namespace Bellhop.Infrastructure.Http;

/// <summary>Text that stands in records, logs and lists as somebody else wrote it.</summary>
public static class VisibleText
{
    /// <summary>Whether it is one line that looks like what it is: nothing ends the line, colours it or turns it around.</summary>
    public static bool IsVisible(string text) =>
        text.EnumerateRunes()
            .All(rune =>
                Rune.GetUnicodeCategory(rune)
                    is not (
                        UnicodeCategory.Control
                        or UnicodeCategory.Format
                        or UnicodeCategory.LineSeparator
                        or UnicodeCategory.ParagraphSeparator
                    )
            );
}
