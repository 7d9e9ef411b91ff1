namespace Bellhop.Features.Accounts.Tokens;

/// <summary>How long what lasts, where no setting says so.</summary>
public static class TokenLife
{
    /// <summary>Of an access token.</summary>
    public static readonly TimeSpan Access = TimeSpan.FromMinutes(10);

    /// <summary>How far the clocks of two replicas may be apart.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    /// <summary>How long a key is believed that signs no more: what it signed last has ended by then in every replica.</summary>
    public static readonly TimeSpan PreviousKey = Access + TimeSpan.FromMinutes(5);

    /// <summary>How long a spent refresh token still gives its successor: a client may ask twice at once, or not get the answer.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
}
