using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Infrastructure.Auth;

/// <summary>What narrows a role, as it is kept with a membership, a key or an issuer of tokens. What is null narrows nothing.</summary>
/// <remarks>
/// Scopes take permissions away. Queues, tags and owner are about what is touched: who may not touch it does not see it either.
/// Hours and networks are about the request as a whole.
/// </remarks>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
public sealed record Access
{
    public static readonly Access Unlimited = new();

    /// <summary>Only these permissions of the role.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? Scopes { get; init; }

    /// <summary>Only jobs of these queues.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? Queues { get; init; }

    /// <summary>Only configuration that has one of these tags, and what comes of it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? Tags { get; init; }

    /// <summary><c>self</c>: only configuration that the caller made, and what comes of it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Owner { get; init; }

    /// <summary>Only at these hours.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Hours? Hours { get; init; }

    /// <summary>Only from these networks, such as <c>10.0.0.0/8</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string[]? AllowNetworks { get; init; }

    public static Access Read(string json) => JsonSerializer.Deserialize<Access>(json, JsonRules.Options)!;

    public string ToJson() => JsonSerializer.Serialize(this, JsonRules.Options);

    /// <summary>Why a request from there may not be made now; null: it may.</summary>
    public string? Refuses(IPAddress? address, DateTimeOffset now)
    {
        if (AllowNetworks is { } networks && !networks.Any(network => Holds(network, address)))
        {
            return "it may be used from its networks only, and this address is in none of them";
        }

        return Hours is { } hours && !hours.Hold(now) ? $"it may be used at its hours only: {hours}" : null;
    }

    private static bool Holds(string network, IPAddress? address)
    {
        var plain = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        return plain is not null && IPNetwork.TryParse(network, out var known) && known.Contains(plain);
    }
}
