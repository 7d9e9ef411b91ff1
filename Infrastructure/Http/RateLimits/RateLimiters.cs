using Bellhop.Infrastructure.Configuration;

namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>The limits that are configured. One that is null is not.</summary>
public sealed class RateLimiters(Settings settings, TimeProvider clock)
{
    private readonly RateLimiter?[] _addresses = Read(settings, clock, "Address");
    private readonly RateLimiter?[] _keys = Read(settings, clock, "Key");
    private readonly RateLimiter?[] _projects = Read(settings, clock, "Project");

    /// <summary>Of an address, for failing to prove who one is.</summary>
    public RateLimiter? Failures => Address(RateBucket.Auth);

    /// <summary>Of a source of webhooks; of an address, for paths that lead to none.</summary>
    public RateLimiter? Inbound { get; } = Read(settings, clock, "Source", "Inbound");

    public RateLimiter? Address(RateBucket bucket) => _addresses[(int)bucket];

    public RateLimiter? Key(RateBucket bucket) => _keys[(int)bucket];

    public RateLimiter? Project(RateBucket bucket) => _projects[(int)bucket];

    private static RateLimiter?[] Read(Settings settings, TimeProvider clock, string scope) =>
        [.. Enum.GetNames<RateBucket>().Select(bucket => Read(settings, clock, scope, bucket))];

    private static RateLimiter? Read(Settings settings, TimeProvider clock, string scope, string bucket) =>
        settings.RateLimits.GetValueOrDefault($"{scope}:{bucket}") is { } limit
            ? new RateLimiter(JsonRules.Spell(scope), JsonRules.Spell(bucket), limit, settings.RateLimitHeaders, clock)
            : null;
}
