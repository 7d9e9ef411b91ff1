namespace Bellhop.Features.Connections;

/// <summary>Makes what others say fit to be shown. Our own words are not looked through: a gap in them would tell the secret.</summary>
internal static class Redaction
{
    private const int MaxForeign = 400;

    /// <summary>One line, without the secret, of 400 characters at most.</summary>
    public static string Of(string text, string? secret)
    {
        var shown = secret is { Length: > 0 } ? text.Replace(secret, "…", StringComparison.Ordinal) : text;
        shown = new string([.. shown.Select(character => char.IsControl(character) ? ' ' : character)]).Trim();
        return shown.Length <= MaxForeign ? shown : shown[..(MaxForeign - 1)] + "…";
    }
}
