using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using FluentValidation.Validators;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Auth;

/// <summary>A document that gives a role and what narrows it: of a member, a key, an issuer of tokens.</summary>
/// <remarks>What is null narrows nothing; an empty list leaves nothing.</remarks>
public interface IGrants
{
    string? Role { get; }

    IReadOnlyList<string>? Scopes { get; }

    IReadOnlyList<string>? Queues { get; }

    IReadOnlyList<string>? Tags { get; }

    string? Owner { get; }

    Hours? Hours { get; }

    IReadOnlyList<string>? AllowNetworks { get; }
}

/// <summary>What makes a role and what narrows it sound, the same wherever it is written.</summary>
public static class AccessRules
{
    public const int MaxScopes = 100;
    public const int MaxQueues = 100;
    public const int MaxTags = 20;
    public const int MaxNetworks = 100;

    /// <summary>No network is longer, in characters.</summary>
    public const int MaxNetworkLength = 49;

    private static readonly string[] AllRoles = [.. Roles.Table.Keys.Order(StringComparer.Ordinal)];
    private static readonly string[] AllScopes = [.. Permissions.All.Order(StringComparer.Ordinal)];

    /// <summary>Of a sound document: what narrows its role, as it is stored.</summary>
    public static Access ToAccess(this IGrants grants) =>
        new()
        {
            Scopes = grants.Scopes?.ToArray(),
            Queues = grants.Queues?.ToArray(),
            Tags = grants.Tags?.ToArray(),
            Owner = grants.Owner,
            Hours = grants.Hours,
            AllowNetworks = grants.AllowNetworks?.ToArray(),
        };

    /// <summary>The rules for a validator of such a document.</summary>
    public static void GrantAccess<T>(this AbstractValidator<T> rules)
        where T : IGrants
    {
        rules.RuleFor(grants => grants.Role).IsOneOf(AllRoles);
        rules.RuleFor(grants => grants.Scopes).HasItems(0, MaxScopes);
        rules.RuleForEach(grants => grants.Scopes).IsOneOf(AllScopes);
        rules
            .RuleForEach(grants => grants.Scopes)
            .Must((grants, scope) => Roles.Table[grants.Role!].Contains(scope))
            .When(grants => grants.Role is not null && Roles.Table.ContainsKey(grants.Role))
            .WithErrorCode("not_of_role")
            .WithMessage((grants, scope) => $"{scope} is none of the permissions of the role {grants.Role}.");
        rules.RuleFor(grants => grants.Queues).HasItems(0, MaxQueues);
        rules.RuleForEach(grants => grants.Queues).NotEmpty().MaximumLength(100);
        rules.AreTags(grants => grants.Tags);
        rules.RuleFor(grants => grants.Owner).SetValidator(new OwnerValidator<T>()).WithErrorCode("unknown_word");
        rules.RuleFor(grants => grants.Hours!).SetValidator(new HoursRules()).When(grants => grants.Hours is not null);
        rules.RuleFor(grants => grants.AllowNetworks).HasItems(0, MaxNetworks);
        rules
            .RuleForEach(grants => grants.AllowNetworks)
            .SetValidator(new NetworkValidator<T>())
            .WithErrorCode("invalid_network");
    }

    /// <summary>The rules for a list of tags.</summary>
    public static void AreTags<T>(
        this AbstractValidator<T> rules,
        global::System.Linq.Expressions.Expression<Func<T, IReadOnlyList<string>?>> tags
    )
    {
        rules.RuleFor(tags).HasItems(0, MaxTags);
        rules.RuleForEach(Items(tags)).SetValidator(new TagValidator<T>()).WithErrorCode("invalid_name");
    }

    // RuleForEach wants a sequence
    private static global::System.Linq.Expressions.Expression<Func<T, IEnumerable<string>>> Items<T>(
        global::System.Linq.Expressions.Expression<Func<T, IReadOnlyList<string>?>> list
    ) => global::System.Linq.Expressions.Expression.Lambda<Func<T, IEnumerable<string>>>(list.Body, list.Parameters);

    /// <summary>A network as it is written, such as <c>10.0.0.0/8</c> or <c>2001:db8::/32</c>; null: it is none.</summary>
    public static IPNetwork? ReadNetwork(string? text)
    {
        if (
            text is null
            || text.Length > MaxNetworkLength
            || text.Contains('%', StringComparison.Ordinal)
            || text.Split('/') is not [var address, var length]
            || length is not [>= '0' and <= '9', ..]
            || (length.Length > 1 && length[0] == '0')
            || !IPNetwork.TryParse(text, out var network)
            || !IPAddress.TryParse(address, out var written)
            || !written.Equals(network.BaseAddress)
            || network.BaseAddress.IsIPv4MappedToIPv6
        )
        {
            return null;
        }

        // 010.0.0.0 would be 8.0.0.0
        return written.AddressFamily != AddressFamily.InterNetwork || written.ToString() == address ? network : null;
    }

    private sealed class OwnerValidator<T> : PropertyValidator<T, string?>, IDescribesSchema
    {
        public override string Name => "OwnerValidator";

        public override bool IsValid(ValidationContext<T> context, string? value) => value is null or Reach.Self;

        public void Describe(OpenApiSchema schema) => DocumentedLimits.Enumerate(schema, [Reach.Self]);

        protected override string GetDefaultMessageTemplate(string errorCode) => "{PropertyName} is self, or left out.";
    }

    private sealed class TagValidator<T> : PropertyValidator<T, string>, IDescribesSchema
    {
        public override string Name => "TagValidator";

        public override bool IsValid(ValidationContext<T> context, string value) => Slug.IsSound(value);

        public void Describe(OpenApiSchema schema) => new SlugShapeAttribute().Describe(schema);

        protected override string GetDefaultMessageTemplate(string errorCode) =>
            "A tag is 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last, and not shaped like an id.";
    }

    private sealed class NetworkValidator<T> : PropertyValidator<T, string>, IDescribesSchema
    {
        public override string Name => "NetworkValidator";

        public override bool IsValid(ValidationContext<T> context, string value) => ReadNetwork(value) is not null;

        public void Describe(OpenApiSchema schema) => schema.MaxLength = MaxNetworkLength;

        protected override string GetDefaultMessageTemplate(string errorCode) =>
            "A network is its first address and the length of its prefix, such as 10.0.0.0/8, 203.0.113.7/32 or 2001:db8::/32.";
    }
}

/// <summary>What makes hours sound.</summary>
public sealed partial class HoursRules : AbstractValidator<Hours>
{
    public HoursRules()
    {
        RuleFor(hours => hours.From).Must(IsTime).WithErrorCode("invalid_time").WithMessage(TimeForm);
        RuleFor(hours => hours.Until).Must(IsTime).WithErrorCode("invalid_time").WithMessage(TimeForm);
        RuleFor(hours => hours.TimeZone)
            .Must(IsTimeZone)
            .WithErrorCode("unknown_time_zone")
            .WithMessage("{PropertyName} is a name of the IANA database, such as Europe/Berlin or UTC.");
        RuleFor(hours => hours.Days).HasItems(0, Hours.AllDays.Length);
        RuleForEach(hours => hours.Days).IsOneOf(Hours.AllDays);
    }

    private const string TimeForm = "{PropertyName} is a time of day, such as 08:00 or 17:30.";

    private static bool IsTime(string? text) => text is not null && TimeOfDay().IsMatch(text);

    private static bool IsTimeZone(string? name) =>
        name is not null && ZoneName().IsMatch(name) && TimeZoneInfo.TryFindSystemTimeZoneById(name, out _);

    [GeneratedRegex(@"^([01][0-9]|2[0-3]):[0-5][0-9]\z")]
    private static partial Regex TimeOfDay();

    // it becomes the path of a file
    [GeneratedRegex(@"^(?=.{1,63}\z)[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*\z")]
    private static partial Regex ZoneName();
}
