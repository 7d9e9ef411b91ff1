using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;

namespace Bellhop.Features.ApiKeys;

/// <summary>An API key as its maker writes it.</summary>
/// <param name="Name">1 to 100 characters, as it stands in records; unique among the keys of the project that are not revoked.</param>
/// <param name="ExpiresAt">Then it is worth nothing; within ten years. Null: a year from now.</param>
/// <param name="Scopes">Only these permissions of the role.</param>
/// <param name="Queues">Only jobs of these queues.</param>
/// <param name="Tags">Only configuration that has one of these tags, and what comes of it.</param>
/// <param name="Owner"><c>self</c>: only configuration that the key made, and what comes of it.</param>
/// <param name="Hours">Only at these hours.</param>
/// <param name="AllowNetworks">Only from these networks.</param>
public sealed record KeyDocument(
    string? Name,
    string? Role,
    DateTime? ExpiresAt = null,
    IReadOnlyList<string>? Scopes = null,
    IReadOnlyList<string>? Queues = null,
    IReadOnlyList<string>? Tags = null,
    string? Owner = null,
    Hours? Hours = null,
    IReadOnlyList<string>? AllowNetworks = null
) : IGrants, IExampled<KeyDocument>
{
    public static KeyDocument Example =>
        new("shop", "worker", Queues: ["default"], AllowNetworks: ["10.0.0.0/8", "127.0.0.0/8"]);
}

/// <summary>What makes a key sound.</summary>
public sealed class KeyRules : AbstractValidator<KeyDocument>
{
    public const int MaxYears = 10;

    public KeyRules(TimeProvider clock)
    {
        RuleFor(document => document.Name)
            .NotEmpty()
            .MaximumLength(100)
            .Must(name => name is null || VisibleText.IsVisible(name))
            .WithErrorCode("invalid_character")
            .WithMessage("A name is one line that shows as it is: no control or formatting characters.")
            .Must(name => !Guid.TryParseExact(name, "D", out _))
            .WithErrorCode("invalid_name")
            .WithMessage("A name is not shaped like an id, since a path may hold either.");
        this.GrantAccess();
        RuleFor(document => document.ExpiresAt)
            .Must(at => at is null || (at > clock.GetUtcNow().UtcDateTime && at <= Latest(clock)))
            .WithErrorCode("out_of_range")
            .WithMessage($"A key expires in the future, {MaxYears} years from now at most.");
    }

    private static DateTime Latest(TimeProvider clock) =>
        clock.GetUtcNow().UtcDateTime.AddYears(MaxYears).AddMinutes(1);
}

/// <summary>What became of a key.</summary>
public static class KeyState
{
    public const string Active = "active";
    public const string Expired = "expired";
    public const string Revoked = "revoked";

    public static readonly IReadOnlyList<string> All = [Active, Expired, Revoked];
}

/// <summary>An API key as it is shown: never the key itself.</summary>
/// <param name="State"><c>active</c>, <c>expired</c> or <c>revoked</c>.</param>
/// <param name="LastUsedAt">To the minute; null: never.</param>
/// <param name="OldExpiresAt">Until when the key as it was before its last rotation is taken too.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record ApiKeyView(
    Guid Id,
    [property: MaxLength(100)] string Name,
    [property: MaxLength(63)] string Role,
    [property: WordOf(typeof(KeyState))] string State,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxScopes), Each(63)]
        IReadOnlyList<string>? Scopes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxQueues), Each(100)]
        IReadOnlyList<string>? Queues,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxTags), Each(63)]
        IReadOnlyList<string>? Tags,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(63)] string? Owner,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Hours? Hours,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        MaxLength(AccessRules.MaxNetworks),
        Each(AccessRules.MaxNetworkLength)
    ]
        IReadOnlyList<string>? AllowNetworks,
    DateTime CreatedAt,
    [property: MaxLength(300)] string CreatedBy,
    DateTime? ExpiresAt,
    DateTime? LastUsedAt,
    DateTime? RotatedAt,
    DateTime? OldExpiresAt,
    DateTime? RevokedAt,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime UpdatedAt
) : IRevised, IExampled<ApiKeyView>
{
    public static ApiKeyView Example =>
        new(
            Story.Source,
            "shop",
            "worker",
            KeyState.Active,
            null,
            ["default"],
            null,
            null,
            null,
            ["10.0.0.0/8"],
            Story.SetUpAt,
            "user:ada@example.com",
            Story.SetUpAt.AddYears(1),
            Story.At,
            null,
            null,
            null,
            1,
            Story.SetUpAt
        );
}

/// <summary>A key's row without what proves it.</summary>
internal sealed record ApiKeyRow(
    Guid Id,
    string KeyId,
    string Name,
    string Role,
    string Access,
    DateTime CreatedAt,
    string CreatedBy,
    DateTime? ExpiresAt,
    DateTime? LastUsedAt,
    DateTime? RotatedAt,
    DateTime? OldExpiresAt,
    DateTime? RevokedAt,
    int Revision,
    DateTime UpdatedAt
)
{
    public Access ReadAccess() => Infrastructure.Auth.Access.Read(Access);

    public ApiKeyView ToView(DateTime now)
    {
        var access = ReadAccess();
        return new ApiKeyView(
            Id,
            Name,
            Role,
            RevokedAt is not null ? KeyState.Revoked
                : ExpiresAt <= now ? KeyState.Expired
                : KeyState.Active,
            access.Scopes,
            access.Queues,
            access.Tags,
            access.Owner,
            access.Hours,
            access.AllowNetworks,
            CreatedAt,
            CreatedBy,
            ExpiresAt,
            LastUsedAt,
            RotatedAt,
            OldExpiresAt > now ? OldExpiresAt : null,
            RevokedAt,
            Revision,
            UpdatedAt
        );
    }

    public KeyDocument ToDocument()
    {
        var access = ReadAccess();
        return new KeyDocument(
            Name,
            Role,
            ExpiresAt,
            access.Scopes,
            access.Queues,
            access.Tags,
            access.Owner,
            access.Hours,
            access.AllowNetworks
        );
    }
}
