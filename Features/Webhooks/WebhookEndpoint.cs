using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Webhooks;

/// <summary>A customer's URL that signed webhooks go out to, as it is shown.</summary>
/// <param name="State"><c>active</c>, or <c>disabled</c>: events that match make deliveries that are never sent.</param>
/// <param name="Retry">When a failed attempt is repeated.</param>
/// <param name="Concurrency">How many requests are open to it at once, 1–100.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record WebhookEndpoint(
    Guid Id,
    [property: SlugShape] string Name,
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string Url,
    [property: MaxLength(100), Each(EventTypePattern.MaxLength)] IReadOnlyList<string> EventTypes,
    [property: AllowedValues(WebhookEndpoint.Active, WebhookEndpoint.Disabled)] string State,
    RetryPolicy Retry,
    [property: Range(1, 100)] short Concurrency,
    [property: MaxLength(AccessRules.MaxTags), Each(Slug.MaxLength)] IReadOnlyList<string> Tags,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised, IExampled<WebhookEndpoint>
{
    public static WebhookEndpoint Example =>
        new(
            Story.Endpoint,
            "crm",
            "https://crm.example.com/hooks/bellhop",
            ["ticket.*"],
            Active,
            RetrySchedule.Default,
            DefaultConcurrency,
            ["sales"],
            1,
            Story.SetUpAt,
            Story.SetUpAt
        );

    public const string Active = "active";

    public const string Disabled = "disabled";

    public const short DefaultConcurrency = 10;

    /// <summary>What its webhooks are signed with; shown in the answer that made the endpoint, and never again.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    [MaxLength(EndpointSecret.MaxLength)]
    public string? Secret { get; init; }
}

/// <summary>An endpoint's row. Not by constructor: Dapper cannot give an array to one.</summary>
internal sealed record EndpointRow
{
    public required Guid Id { get; init; }

    public required string Name { get; init; }

    public required string Url { get; init; }

    public required string[] EventTypes { get; init; }

    public required string State { get; init; }

    public string? Retry { get; init; }

    public required short Concurrency { get; init; }

    public required string[] Tags { get; init; }

    public Guid? OwnerId { get; init; }

    public required int Revision { get; init; }

    public required DateTime CreatedAt { get; init; }

    public required DateTime UpdatedAt { get; init; }

    public WebhookEndpoint ToEndpoint() =>
        new(
            Id,
            Name,
            Url,
            EventTypes,
            State,
            RetrySchedule.Read(Retry),
            Concurrency,
            Tags,
            Revision,
            CreatedAt,
            UpdatedAt
        );

    public EndpointDocument ToDocument() =>
        new(
            Name,
            Url,
            EventTypes,
            State == WebhookEndpoint.Active,
            Retry is null ? null : RetrySchedule.Read(Retry),
            Concurrency,
            Tags: Tags
        );
}

/// <summary>When deliveries are repeated.</summary>
internal static class RetrySchedule
{
    /// <summary>The ten attempts that Standard Webhooks recommends, over 75 hours: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.</summary>
    public static readonly RetryPolicy Default = new(
        MaxAttempts: 10,
        Strategy: "list",
        InitialSeconds: 5,
        MaxSeconds: 86_400,
        DelaysSeconds: [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    );

    /// <summary>What an endpoint's row says, which may be nothing.</summary>
    public static RetryPolicy Read(string? json) =>
        json is null ? Default : JsonSerializer.Deserialize<RetryPolicy>(json, JsonRules.Options)!;
}
